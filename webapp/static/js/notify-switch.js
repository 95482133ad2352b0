/**
 * <notify-switch data-volatile></notify-switch>
 *
 * A button that switches browser notifications of new permission requests on and off. The choice is stored;
 * notifications are shown while this page is open in a tab. While they are on, the stream stays open in the background.
 */
const STORAGE_KEY = 'notify';

class NotifySwitch extends HTMLElement {
  connectedCallback() {
    if (!('Notification' in window)) return;
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Notify me';
    button.title = 'A notification for each new request, while this page is open in a tab';
    button.addEventListener('click', () => this.#turn());
    this.replaceChildren(button);
    this.#show();
    document.addEventListener('permissions:more', ({ detail }) => isOn() && notify(detail.count));
  }

  async #turn() {
    const on = !isOn();
    if (on && (await Notification.requestPermission()) !== 'granted') {
      this.firstElementChild.textContent = 'Blocked by the browser';
      return;
    }
    localStorage.setItem(STORAGE_KEY, on ? 'on' : 'off');
    this.#show();
  }

  #show() {
    this.firstElementChild.setAttribute('aria-pressed', String(isOn()));
    document.querySelector('live-stream').toggleAttribute('data-awake', isOn());
  }
}

function isOn() {
  return localStorage.getItem(STORAGE_KEY) === 'on' && Notification.permission === 'granted';
}

function notify(count) {
  const body = count === 1 ? '1 permission request is open.' : `${count} permission requests are open.`;
  const shown = new Notification('Signalbox', { body, tag: 'signalbox-permissions', renotify: true });
  shown.addEventListener('click', () => {
    window.focus();
    shown.close();
  });
}

customElements.define('notify-switch', NotifySwitch);
