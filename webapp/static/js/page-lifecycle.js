/**
 * Reports changes of the page and of its network to code that keeps a connection open.
 *
 *     new PageLifecycle({ pauseHidden, onCheck, onReturn, onOffline, onSuspend, onRestore }).listen(signal);
 *
 * pauseHidden()   whether a hidden page counts as suspended
 * onCheck         the window got the focus: the connection may have died while the machine was suspended
 * onReturn        the network is back, or the page is visible again
 * onOffline       the network is gone
 * onSuspend       the page entered the back/forward cache, or was hidden while `pauseHidden()` is true
 * onRestore       the page left the back/forward cache
 */
export class PageLifecycle {
  #options;
  #cached = false;

  constructor(options) {
    this.#options = options;
  }

  get suspended() {
    return this.#cached || (document.hidden && this.#options.pauseHidden());
  }

  listen(signal) {
    const { pauseHidden, onCheck, onReturn, onOffline, onSuspend, onRestore } = this.#options;
    const on = (target, type, handler) => target.addEventListener(type, handler, { signal });
    on(window, 'focus', onCheck);
    on(window, 'online', onReturn);
    on(window, 'offline', onOffline);
    on(window, 'pagehide', () => {
      this.#cached = true;
      onSuspend();
    });
    on(window, 'pageshow', () => {
      if (!this.#cached) return;
      this.#cached = false;
      onRestore();
    });
    on(document, 'visibilitychange', () => {
      if (!document.hidden) onReturn();
      else if (pauseHidden()) onSuspend();
    });
  }
}
