// SPDX-License-Identifier: Apache-2.0
import { h, bar, table } from '/dom.js';
import * as api from '/api.js';
import { number, parts, state, plural, ago, tone } from '/words.js';
import { progress } from '/page_rollout.js';
import { due, dueNotes } from '/page_keys.js';

const NOTES = 3; // of what expires; the rest is on the page of keys

function figure(label, n, href, detail) {
  return h('div', { class: 'card w3' }, h('div', { class: 'quiet' }, label),
    h('div', { class: 'figure' }, href ? h('a', { href }, number(n)) : number(n)), h('div', { class: 'small quiet' }, detail));
}

function versions(data) {
  const most = Math.max(1, ...data.versions.map((row) => row.devices));
  return h('div', { class: 'card w6' }, h('h2', null, 'Versions in the field'),
    data.versions.length === 0 && h('p', { class: 'quiet' }, 'No device has checked in yet.'),
    data.versions.map((row) => h('div', { class: 'row' },
      h('a', { href: `#/devices${api.query({ product: row.product, version: row.version })}` }, row.product, ' ', row.version ?? 'unknown'),
      bar([{ n: row.devices, tone: 'good', name: 'devices' }], most), h('span', { class: 'n' }, number(row.devices)))));
}

function states(data) {
  const counts = parts(data.states);
  return h('div', { class: 'card w6' }, h('h2', null, 'Update state'), bar(counts, data.devices, true),
    h('div', { class: 'legend' }, counts.filter((part) => part.n > 0).map((part) =>
      h('a', { class: `state ${tone(part.name)}`, href: `#/devices${api.query({ state: part.name })}` }, `${part.name} ${number(part.n)}`))));
}

function metadata(data) {
  return h('div', { class: 'card' }, h('div', { class: 'head' }, h('h2', null, 'Signed metadata'), h('a', { class: 'end', href: '#/keys' }, 'Keys and expiry')), table('Signed metadata', [
    { name: 'Role', cell: (row) => row.role }, { name: 'Version', cell: (row) => row.version },
    { name: 'Signed', cell: (row) => row.role === 'root' || row.role === 'targets' ? 'offline' : 'by the server' },
    { name: 'Expires', cell: (row) => ago(row.expires) }], data.metadata, 'Nothing is published yet.'));
}

export const overview = {
  title: () => 'Overview',
  async load(args, query, signal) {
    const [fleet, keys] = await Promise.all([api.get('/overview', signal), api.get('/keys', signal)]);
    return { ...fleet, due: due(keys) };
  },
  view: (data) => [
    h('div', { class: 'head' }, h('h1', null, 'Overview'), !data.sandboxed && h('span', { class: 'tag bad' }, 'server runs without its sandbox')),
    h('div', { class: 'grid' },
      figure('Devices', data.devices, '#/devices', `${number(data.plain_keys)} keep their key in a plain file`),
      figure('Silent', data.states.silent, '#/devices?state=silent', 'missed their check-ins'),
      figure('Went wrong', data.states.reverted + data.states.failed + data.states.refused, '#/devices?state=reverted', 'reverted, failed or refused'),
      figure('Blocked', data.blocked, '#/devices?blocked=true', 'refused at the door')),
    data.alarms > 0 && h('div', { class: 'note bad' }, h('div', null, h('a', { href: '#/factory' }, plural(data.alarms, 'open alarm')), ': a device may not be the one that was made, or somebody attacks it')),
    dueNotes(data.due.slice(0, NOTES)),
    data.due.length > NOTES && h('p', null, h('a', { href: '#/keys' }, `${plural(data.due.length - NOTES, 'more thing')} to renew`)),
    data.made > 0 && h('p', { class: 'quiet' }, h('a', { href: '#/factory?unseen=true' }, `${number(data.never_seen)} of ${plural(data.made, 'device')}`), ' made at a factory were never seen'),
    h('div', { class: 'grid' }, versions(data), states(data)),
    h('div', { class: 'card' }, h('h2', null, 'Rollouts'),
      data.rollouts.length === 0
        ? h('p', { class: 'quiet' }, 'None is open. ', h('a', { href: '#/releases' }, 'Start one from a release.'))
        : data.rollouts.map((rollout) => h('div', { class: 'wave' },
          h('div', { class: 'top' }, h('a', { href: `#/rollouts/${rollout.id}` }, rollout.product, ' ', rollout.version), state(rollout.state),
            h('span', { class: 'quiet small' }, rollout.reason ?? ''), h('span', { class: 'n' }, plural(rollout.devices, 'device'), ', ', ago(rollout.created))),
          progress(rollout)))),
    metadata(data),
  ],
};
