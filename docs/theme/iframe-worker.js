// A page that is opened from disk may start no worker: there the search runs in a hidden frame instead.
if (location.protocol === 'file:') window.Worker = class extends EventTarget {
  constructor(url) {
    super()
    this.frame = document.body.appendChild(document.createElement('iframe'))
    this.frame.hidden = true
    const inside = this.frame.contentWindow
    inside.postMessage = data => this.dispatchEvent(new MessageEvent('message', {data}))
    inside.importScripts = (...urls) => Promise.all(urls.map(o => this.load(o)))
    this.ready = this.load(url)
  }

  load(url) {
    const script = this.frame.contentDocument.createElement('script')
    script.src = new URL(url, location)
    return new Promise((done, failed) => {
      script.onload = done
      script.onerror = failed
      this.frame.contentDocument.body.append(script)
    })
  }

  postMessage(data) {
    this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent('message', {data})))
  }

  terminate() { this.frame.remove() }
}
