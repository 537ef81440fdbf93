// The page that asks for the console's token. The token goes to the server, which answers with a cookie; the page keeps nothing.
import { h } from './dom.js';
import { page } from './frame.js';
import * as api from './api.js';

/** Resolves once the server has taken a token. */
export function askForToken(main) {
  return new Promise(resolve => {
    const input = h('input#token', {
      type: 'password',
      autocomplete: 'off',
      spellcheck: 'false',
      required: true,
      'aria-describedby': 'token-wrong',
    });
    const wrong = h('p.err#token-wrong', { role: 'alert' });
    const send = async e => {
      e.preventDefault();
      wrong.textContent = '';
      try {
        await api.login(input.value.trim());
        resolve();
      } catch (error) {
        wrong.textContent = error.status === 401 ? 'This is not the token of this console.' : error.message;
        input.select();
      }
    };
    page(
      main,
      'Sign in',
      {},
      h(
        'form.empty.login',
        { onsubmit: send },
        h('h2', 'This console asks for its token'),
        h(
          'p',
          'The console printed it with its address when it started. ',
          h('code.mono', 'console.token'),
          ' sets it.',
        ),
        h('label.sr', { for: 'token' }, 'Token'),
        h('div.field', input),
        wrong,
        h('button.btn.primary', { type: 'submit' }, 'Sign in'),
      ),
    );
    input.focus();
  });
}
