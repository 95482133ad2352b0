import { root } from './root-path.js';

/**
 * Shows in a form why it was not sent, or removes that line if there is no `text`. `again` sends it again. A frame does not
 * change a form with such a line.
 */
export function note(form, text, again, loggedOut = false) {
  form.querySelector('.form-note')?.remove();
  form.toggleAttribute('data-unsent', Boolean(text));
  if (!text) return;
  const line = document.createElement('p');
  line.className = 'form-note';
  line.dataset.volatile = '';
  line.setAttribute('role', 'alert');
  line.append(text);
  if (loggedOut) {
    const link = Object.assign(document.createElement('a'), { href: `${root}/login`, target: '_blank', textContent: 'Log in' });
    line.append(' ', link);
  }
  if (again) {
    const button = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Send again' });
    button.addEventListener('click', again);
    line.append(' ', button);
  }
  form.append(line);
}

/** Returns what the page of a refused form says: what was not done, and why. */
export function refusalOf(page) {
  const alert = page.querySelector('main [role="alert"]');
  if (alert) return alert.textContent;
  const why = page.querySelector('.error-message, .error p')?.textContent ?? 'The server cannot be reached.';
  return `${page.querySelector('.error-not-done')?.textContent ?? 'Not done.'} ${why}`;
}
