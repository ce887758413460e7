// SPDX-License-Identifier: Apache-2.0
import { h, table } from '/dom.js';
import * as api from '/api.js';
import { state, ago, number, order } from '/words.js';

let timer = 0;

function filters(data, ctx) {
  const set = (name) => (event) => ctx.go({ ...ctx.query, [name]: event.target.value });
  const pick = (name, label, options) => h('label', null, label, h('select', { data: { key: name }, onchange: set(name) },
    h('option', { value: '' }, 'any'), options.map((option) => h('option', { value: option, selected: ctx.query[name] === option }, option))));
  return h('div', { class: 'filters', role: 'search' },
    h('label', { class: 'grow' }, 'Serial number contains', h('input', {
      type: 'search', data: { key: 'q' }, value: ctx.query.q ?? '', placeholder: 'press / to search',
      oninput: (event) => { clearTimeout(timer); timer = setTimeout(() => set('q')(event), 250); } })),
    pick('product', 'Product', data.products.map((product) => product.name)),
    pick('version', 'Version', data.versions),
    pick('state', 'State', order),
    pick('group', 'Group', data.groups.map((group) => group.name)),
    pick('blocked', 'Blocked', ['true', 'false']));
}

const columns = [
  { name: 'Serial number', cell: (device) => h('a', { class: 'mono', href: `#/devices/${encodeURIComponent(device.id)}` }, device.id) },
  { name: 'Product', cell: (device) => device.product },
  { name: 'Version', cell: (device) => device.version ?? '-' },
  { name: 'State', cell: (device) => h('span', { title: device.rule?.what }, device.blocked ? state('blocked') : state(device.state)) },
  { name: 'Wanted', cell: (device) => device.wanted ?? '-' },
  { name: 'Last seen', cell: (device) => ago(device.last_seen) },
];

export const devices = {
  title: () => 'Devices',
  async load(args, query, signal) {
    const [page, products, groups, overview] = await Promise.all([
      api.get(`/devices${api.query({ limit: 50, ...query })}`, signal), api.get('/products', signal), api.get('/groups', signal),
      api.get('/overview', signal)]);
    return { page, products: products.items, groups: groups.items, versions: [...new Set(overview.versions.map((row) => row.version).filter(Boolean))] };
  },
  view: (data, ctx) => [
    h('div', { class: 'head' }, h('h1', null, 'Devices'), h('span', { class: 'quiet' }, number(data.page.total))),
    filters(data, ctx),
    h('div', { class: 'card flush' }, table('Devices', columns, data.page.items, 'No device fits these filters.')),
    data.page.next && h('div', { class: 'more' }, h('button', { data: { key: 'more' },
      onclick: () => ctx.go({ ...ctx.query, limit: Math.min(500, Number(ctx.query.limit ?? 50) + 100) }) }, 'Show more')),
  ],
};
