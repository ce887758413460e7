// SPDX-License-Identifier: Apache-2.0
// The shell: who is logged in, which page is shown, and what brings it up to date.
import { h, fill } from '/dom.js';
import * as api from '/api.js';
import { login } from '/page_login.js';
import { overview } from '/page_overview.js';
import { devices } from '/page_devices.js';
import { device } from '/page_device.js';
import { releases } from '/page_releases.js';
import { rollouts } from '/page_rollouts.js';
import { rollout } from '/page_rollout.js';
import { audit } from '/page_audit.js';
import { identity } from '/page_identity.js';
import { factory } from '/page_factory.js';
import { keys } from '/page_keys.js';

const main = document.getElementById('main');
const notice = document.getElementById('notice');

// A page is {title, nav, load(args, query, signal) -> data, view(data, ctx) -> nodes}.
const routes = [
  [/^\/$/, overview], [/^\/devices$/, devices], [/^\/devices\/([^/]+)$/, device], [/^\/releases$/, releases],
  [/^\/rollouts$/, rollouts], [/^\/rollouts\/([^/]+)$/, rollout], [/^\/audit$/, audit], [/^\/identity$/, identity], [/^\/factory$/, factory],
  [/^\/keys$/, keys],
];
// Their order is that of the number keys.
const links = [['/', 'Overview'], ['/devices', 'Devices'], ['/releases', 'Releases'], ['/rollouts', 'Rollouts'], ['/factory', 'Factory'],
  ['/keys', 'Keys'], ['/identity', 'Identity'], ['/audit', 'Audit']];

let stop = new AbortController(); // of the page that is shown
let shown = null;

export function tell(text, tone, todo) {
  fill(notice, text && h('div', { class: `note ${tone ?? ''}` },
    h('div', null, text, todo && h('div', { class: 'quiet small' }, todo)),
    h('button', { class: 'plain', 'aria-label': 'Close message', onclick: () => fill(notice) }, '×')));
}

export function tellProblem(problem) {
  if (problem.name === 'AbortError') return;
  tell(problem.message, 'bad', problem.todo);
}

/** Run a change, then show the page anew. */
export async function change(work, done) {
  try {
    await work();
    tell(done, 'good');
    await refresh();
  } catch (problem) {
    if (problem.status === 401) return start();
    tellProblem(problem);
  }
}

function here() {
  const [path, query] = (location.hash.slice(1) || '/').split('?');
  for (const [shape, page] of routes) {
    const found = shape.exec(path);
    if (found) return { page, args: found.slice(1).map(decodeURIComponent), query: Object.fromEntries(new URLSearchParams(query)), path };
  }
  return { page: null, path };
}

async function refresh() {
  if (!shown?.page) return;
  const { page, args, query } = shown;
  const signal = stop.signal;
  const data = await page.load(args, query, signal);
  if (signal.aborted) return;
  fill(main, page.view(data, { args, query, change, refresh, go }));
}

/** Change the query of the page that is shown, without a new history entry. */
export function go(query) {
  history.replaceState(null, '', `#${shown.path}${api.query(query)}`);
  shown.query = query;
  refresh().catch(tellProblem);
}

async function show() {
  stop.abort();
  stop = new AbortController();
  shown = here();
  fill(notice);
  menu();
  if (!shown.page) {
    fill(main, h('h1', null, 'No such page'), h('p', null, h('a', { href: '#/' }, 'Back to the overview')));
    return;
  }
  document.title = `${shown.page.title(shown.args)} · Holdfast`;
  try {
    await refresh();
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  } catch (problem) {
    if (problem.status === 401) return start();
    if (problem.name !== 'AbortError') {
      fill(main, h('h1', null, problem.status === 404 ? 'Not found' : 'This page could not be loaded'),
        h('p', { class: 'problem' }, problem.message), problem.todo && h('p', { class: 'quiet' }, problem.todo));
    }
  }
}

function menu() {
  fill(document.getElementById('nav'), links.map(([path, name]) => h('a', {
    href: `#${path}`, 'aria-current': (path === '/' ? shown.path === '/' : shown.path.startsWith(path)) ? 'page' : null,
  }, name)));
}

const themes = ['auto', 'light', 'dark'];
function theme(name) {
  if (name === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  localStorage.setItem('theme', name);
}

function account() {
  const now = localStorage.getItem('theme') ?? 'auto';
  const next = themes[(themes.indexOf(now) + 1) % themes.length];
  fill(document.getElementById('account'),
    h('button', { class: 'plain', data: { key: 'theme' }, title: `Colours: ${now}. Change to ${next}`, 'aria-label': `Colours: ${now}. Change to ${next}`,
      onclick: () => { theme(next); account(); } }, { auto: '◐', light: '○', dark: '●' }[now]),
    h('span', { class: 'who' }, api.session.name),
    h('button', { class: 'plain', onclick: async () => { await api.logout(); start(); } }, 'Log out'));
}

/** Long poll: the server answers as soon as something changed; then the shown page is loaded again. */
async function follow() {
  let after = 0;
  let wait = 500;
  for (;;) {
    if (document.hidden || !api.session.name) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      continue;
    }
    try {
      const said = await api.get(`/events?since=${after}`);
      const changed = said.change !== after;
      after = said.change;
      if (changed) await refresh();
      wait = 500;
    } catch (problem) {
      if (problem.status === 401 && api.session.name) { api.session.name = ''; start(); }
      wait = Math.min(wait * 2, 15000);
    }
    await new Promise((resolve) => setTimeout(resolve, wait)); // at most two redraws a second
  }
}

document.addEventListener('keydown', (event) => {
  if (event.target.matches('input, select, textarea') || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === '/') {
    const search = document.querySelector('input[type=search]');
    if (search) { event.preventDefault(); search.focus(); } else { location.hash = '#/devices'; }
  }
  const jump = links[Number(event.key) - 1]?.[0];
  if (jump && !document.querySelector('dialog[open]')) location.hash = `#${jump}`;
});

async function start() {
  const top = document.getElementById('top');
  stop.abort();
  top.hidden = true;
  try {
    if (!await api.resume()) {
      document.title = 'Log in · Holdfast';
      await login(main);
    }
  } catch (problem) {
    tellProblem(problem);
    setTimeout(start, 3000);
    return;
  }
  top.hidden = false;
  account();
  await show();
}

theme(localStorage.getItem('theme') ?? 'auto');
addEventListener('hashchange', () => { if (api.session.name) show(); });
start().then(follow);
