// SPDX-License-Identifier: Apache-2.0
import { h, facts, table } from '/dom.js';
import * as api from '/api.js';
import { ago, at, number, plural, short } from '/words.js';

const kinds = [
  ['expiring-30', 'expiring_30', 'End within 30 days'], ['expiring-90', 'expiring_90', 'End within 90 days'],
  ['grace', 'grace', 'Ended, can still renew'], ['beyond-grace', 'beyond_grace', 'Ended, need a new proof'],
  ['rotating', 'rotating', 'To make a new key'], ['rotation-late', 'rotation_late', 'Late with it'],
  ['never-used', 'never_used', 'Never used'], ['revoked', 'revoked', 'Revoked'], ['weak', 'weak', 'Weak factory key'],
  ['shared', 'shared', 'Key shared with another'], ['old-ca', 'old_ca', 'On an old device CA'],
  ['old-anchor', 'old_anchor', 'Do not know the newest server CA'],
];

const counted = (title, rows) => h('div', { class: 'card w6' }, h('h2', null, title),
  rows.length === 0 ? h('p', { class: 'quiet' }, 'Nothing yet.') : facts(rows.map((row) => [row.name, number(row.devices)])));

export const identity = {
  title: () => 'Identity',
  async load(args, query, signal) {
    const kind = query.kind ?? 'expiring-30';
    const [report, list] = await Promise.all([api.get('/identity', signal),
      api.get(`/identity/devices${api.query({ kind, limit: query.limit ?? 100 })}`, signal)]);
    return { report, list, kind };
  },
  view: ({ report, list, kind }, ctx) => [
    h('div', { class: 'head' }, h('h1', null, 'Identity'),
      h('span', { class: 'quiet' }, `${number(report.certified)} of ${number(report.devices)} have a certificate`)),
    report.alarms > 0 && h('div', { class: 'note bad' }, h('div', null, h('a', { href: '#/factory' }, plural(report.alarms, 'open alarm')), ' about copies and shared keys')),
    h('div', { class: 'grid' },
      h('div', { class: 'card w6' }, h('h2', null, 'What needs a look'), facts(kinds.map(([name, member, words]) =>
        [h('a', { href: `#/identity?kind=${name}` }, words), number(report[member])]))),
      counted('Keys', report.algorithms), counted('Key storage', report.storage),
      counted('Last connection', [...report.tls, ...report.ciphers])),
    h('div', { class: 'card flush' }, h('h2', null, 'Device CAs'), table('Device CAs', [
      { name: 'No', cell: (ca) => ca.number }, { name: 'Issues', cell: (ca) => (ca.newest ? 'yes' : 'no') },
      { name: 'Devices', cell: (ca) => number(ca.devices) }, { name: 'Until', cell: (ca) => at(ca.not_after) },
      { name: 'Revoked', cell: (ca) => number(ca.revoked) }, { name: 'Next list', cell: (ca) => (ca.crl_next ? at(ca.crl_next) : '') },
      { name: 'Fingerprint', cell: (ca) => short(ca.fingerprint) },
    ], report.cas, 'The vault has not told yet.')),
    h('div', { class: 'card flush' }, h('h2', null, kinds.find((row) => row[0] === kind)?.[2] ?? kind), table('Devices', [
      { name: 'Device', cell: (row) => h('a', { href: `#/devices/${encodeURIComponent(row.id)}` }, row.id) },
      { name: 'Product', cell: (row) => row.product }, { name: 'Ends', cell: (row) => (row.not_after ? at(row.not_after) : '') },
      { name: 'CA', cell: (row) => row.ca }, { name: 'Last seen', cell: (row) => ago(row.last_seen) },
      { name: 'New key by', cell: (row) => (row.rotate_by ? at(row.rotate_by) : '') },
      { name: 'Revoked', cell: (row) => row.revoked_reason ?? '' },
    ], list.items, 'No device of this kind.')),
    list.next && h('div', { class: 'more' }, h('button', { data: { key: 'more' },
      onclick: () => ctx.go({ ...ctx.query, limit: Math.min(500, Number(ctx.query.limit ?? 100) + 100) }) }, 'Show more')),
  ],
};
