// SPDX-License-Identifier: Apache-2.0
import { h, fill } from '/dom.js';
import * as api from '/api.js';

/** Resolves when somebody is logged in. */
export function login(main) {
  return new Promise((resolve) => {
    const problem = h('p', { class: 'problem', role: 'alert' });
    const button = h('button', { class: 'main', type: 'submit' }, 'Log in');
    const form = h('form', {
      onsubmit: async (event) => {
        event.preventDefault();
        button.disabled = true;
        const { name, password } = Object.fromEntries(new FormData(form));
        try {
          await api.login(name, password);
          resolve();
        } catch (refused) {
          fill(problem, refused.message, refused.todo && h('span', { class: 'quiet' }, ` ${refused.todo}`));
          button.disabled = false;
          form.querySelector('[name=password]').select();
        }
      },
    },
    h('label', null, 'Name', h('input', { name: 'name', autocomplete: 'username', required: true, autofocus: true })),
    h('label', null, 'Password', h('input', { name: 'password', type: 'password', autocomplete: 'current-password', required: true })),
    button, problem);
    fill(main, h('div', { class: 'login' }, h('div', { class: 'brand' }, h('img', { src: '/icon.svg', alt: '', width: '30', height: '30' }), ' Holdfast'),
      h('div', { class: 'card' }, form)));
    form.querySelector('[name=name]').focus();
  });
}
