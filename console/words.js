// SPDX-License-Identifier: Apache-2.0
// How things are said: states with their tone, times, counts.
import { h } from '/dom.js';

const tones = {
  confirmed: 'good', idle: 'mute', offered: 'wait', downloading: 'busy', staged: 'wait', trying: 'busy', postponed: 'warn',
  reverted: 'bad', failed: 'bad', refused: 'bad', silent: 'mute', blocked: 'bad', pending: 'mute', waiting: 'mute',
  running: 'busy', paused: 'warn', stopped: 'bad', aborted: 'bad', done: 'good', skipped: 'mute',
};
/** The order in which states are always shown: from finished to trouble. */
export const order = ['confirmed', 'idle', 'trying', 'staged', 'downloading', 'offered', 'postponed', 'silent', 'reverted',
  'failed', 'refused'];

export const tone = (state) => tones[state] ?? 'mute';
export const state = (word) => h('span', { class: `state ${tone(word)}` }, word);

export function parts(counts) {
  return Object.entries(counts ?? {}).map(([name, n]) => ({ name, n, tone: tone(name) }))
    .sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

export const number = (n) => Number(n ?? 0).toLocaleString('en');
export const plural = (n, one, many) => `${number(n)} ${n === 1 ? one : many ?? `${one}s`}`;

/** API times are RFC 3339 text or seconds since 1970. */
export function date(value) {
  if (value === null || value === undefined || value === 0) return null;
  return typeof value === 'number' ? new Date(value * 1000) : new Date(value);
}

export function ago(value) {
  const when = date(value);
  if (!when) return 'never';
  if (when.getUTCFullYear() === 9999) return h('time', { datetime: when.toISOString(), title: 'without an end' }, 'never'); // RFC 5280 section 4.1.2.5
  const s = Math.round((Date.now() - when.getTime()) / 1000);
  const steps = [[60, 1, 's'], [3600, 60, 'min'], [86400, 3600, 'h'], [86400 * 60, 86400, 'd'], [86400 * 700, 86400 * 30.44, 'months'],
    [Infinity, 86400 * 365.25, 'years']];
  const [, unit, name] = steps.find(([below]) => Math.abs(s) < below);
  const text = s < -5 ? `in ${Math.round(-s / unit)} ${name}` : s < 5 ? 'now' : `${Math.round(s / unit)} ${name} ago`;
  return h('time', { datetime: when.toISOString(), title: when.toLocaleString() }, text);
}

export function at(value) {
  const when = date(value);
  if (!when) return 'never';
  return h('time', { datetime: when.toISOString(), title: when.toISOString() },
    when.toLocaleString('sv-SE', { dateStyle: 'short', timeStyle: 'medium' }));
}

export const bytes = (n) => n >= 1048576 ? `${(n / 1048576).toFixed(1)} MB` : n >= 1024 ? `${Math.round(n / 1024)} KB` : `${n} B`;
export const short = (hex) => h('span', { class: 'mono', title: hex }, hex ? `${hex.slice(0, 16)}…` : '');
export const capital = (word) => word[0].toUpperCase() + word.slice(1);

/** An audit action, `noun.verb`, as words. */
export const action = (name) => capital(String(name).replace(/[._-]/g, ' '));

/** The rule something was refused for: what, what to do, and its name to search the manual by. */
export const why = (rule) => h('div', null, capital(rule.what), h('div', { class: 'quiet small' }, 'To do: ', rule.todo),
  h('div', { class: 'quiet small' }, h('span', { class: 'mono' }, rule.name), ` rule ${rule.number}, ${rule.clause}`));

/** A debug port or a program memory as the factory left it. */
export const lock = (word) => ({ open: h('span', { class: 'state warn' }, 'open'), locked: h('span', { class: 'state good' }, 'locked') }[word] ?? word);
