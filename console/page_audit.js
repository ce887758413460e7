// SPDX-License-Identifier: Apache-2.0
import { h, table } from '/dom.js';
import * as api from '/api.js';
import { at, number, short, action } from '/words.js';

export const audit = {
  title: () => 'Audit log',
  load: (args, query, signal) => api.get(`/audit${api.query({ limit: 100, ...query })}`, signal),
  view: (data, ctx) => [
    h('div', { class: 'head' }, h('h1', null, 'Audit log'), h('span', { class: 'quiet' }, number(data.total))),
    h('p', { class: 'quiet' }, 'Each entry carries the hash of the one before. ', h('span', { class: 'mono' }, 'holdfast audit verify'),
      ' proves the chain and names the first broken entry.'),
    h('div', { class: 'card flush' }, table('Audit log', [
      { name: 'No', cell: (entry) => number(entry.number) }, { name: 'When', class: 'keep', cell: (entry) => at(entry.time) },
      { name: 'Who', class: 'keep', cell: (entry) => entry.actor }, { name: 'What', class: 'keep', cell: (entry) => action(entry.action) },
      { name: 'On', class: 'wide', cell: (entry) => entry.subject ?? '' }, { name: 'Detail', class: 'wide', cell: (entry) => entry.detail ?? '' },
      { name: 'Hash', class: 'keep', cell: (entry) => short(entry.hash) },
    ], data.items, 'Nothing yet.')),
    data.next && h('div', { class: 'more' }, h('button', { data: { key: 'more' },
      onclick: () => ctx.go({ ...ctx.query, limit: Math.min(500, Number(ctx.query.limit ?? 100) + 100) }) }, 'Show more')),
  ],
};
