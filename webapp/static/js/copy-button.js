/**
 * <copy-button data-from="/tasks/x/events/29/payload?part=text"></copy-button>   copies the text at this address
 * <copy-button data-text="signalbox run -- make"></copy-button>                  copies this text
 *
 * A button, which exists only with scripts. The element should be inside one with `data-volatile`, or have it itself.
 */
class CopyButton extends HTMLElement {
  connectedCallback() {
    if (this.firstChild) return;
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.addEventListener('click', () => this.#copy(button));
    this.append(button);
  }

  async #copy(button) {
    try {
      await write(this.dataset.text ?? (await textAt(this.dataset.from)));
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'Not copied';
    }
    setTimeout(() => (button.textContent = 'Copy'), 2000);
  }
}

async function textAt(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(response.statusText);
  return response.text();
}

/** Pages on plain HTTP from another machine have no clipboard API. */
async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  if (!copied) throw new Error('the browser does not allow it');
}

customElements.define('copy-button', CopyButton);
