// SPDX-License-Identifier: Apache-2.0
import { h, ask, bar, table } from '/dom.js';
import * as api from '/api.js';
import { ago, at, capital, lock, number, plural, short } from '/words.js';

const state = (order) => (order.closed ? ['bad', 'revoked'] : order.imported ? ['good', 'record checked'] : ['wait', 'waiting for its record']);

/* Where what an alarm is about can be looked at: one that never enrolled has a batch record and no page of its own. */
const pages = { device: (id) => `#/devices/${encodeURIComponent(id)}`, made: (id) => `#/factory${api.query({ q: id })}`,
  order: (id) => `#/factory${api.query({ order: id })}` };
const subject = (alarm) => (pages[alarm.about] ? h('a', { class: 'mono', href: pages[alarm.about](alarm.device) }, alarm.device) : h('span', { class: 'mono' }, alarm.device));

/** One alarm; `named` says what it is about, where the page does not. */
export function alarmRow(alarm, ctx, named) {
  const close = async () => {
    const said = await ask(`Close the alarm about ${alarm.device}`, 'The reason goes into the audit log.', 'Close', [{ name: 'reason', label: 'What was it?', required: true }]);
    if (said) await ctx.change(() => api.post(`/alarms/${alarm.number}/close`, said), 'The alarm is closed.');
  };
  return h('div', { class: 'wave' },
    h('div', { class: 'top' }, h('span', { class: `state ${alarm.closed ? 'mute' : 'bad'}` }, alarm.kind.replaceAll('-', ' ')), named && subject(alarm),
      h('span', { class: 'n' }, alarm.count > 1 && `${number(alarm.count)} times, last `, ago(alarm.last))),
    h('p', null, capital(alarm.words), alarm.detail && h('span', { class: 'quiet' }, ': ', alarm.detail)),
    alarm.closed && h('p', { class: 'small quiet' }, 'Closed ', at(alarm.closed), ` by ${alarm.closed_by}`, alarm.reason && `: ${alarm.reason}`),
    !alarm.closed && api.may('operate') && h('div', null, h('button', { data: { key: `close${alarm.number}` }, onclick: close }, 'Close with a reason')));
}

function alarms(data, ctx) {
  return h('section', { class: 'card', 'aria-label': 'Alarms' }, h('h2', null, 'Alarms'), data.alarms.items.length === 0
    ? h('p', { class: 'quiet' }, 'None is open: no clone, no duplicate, no device that nobody made, no forged report and no attack was seen.')
    : data.alarms.items.map((alarm) => alarmRow(alarm, ctx, true)));
}

function orders(data) {
  if (data.orders.items.length === 0) {
    return h('p', { class: 'quiet' }, 'A manufacturer makes devices by a signed order: ', h('span', { class: 'mono' }, 'holdfast factory order create'));
  }
  return data.orders.items.map((order) => h('div', { class: 'card' },
    h('div', { class: 'head' }, h('h2', null, order.product, ' ', h('span', { class: 'mono' }, order.serials)),
      h('span', { class: `state ${state(order)[0]}` }, state(order)[1])),
    bar([{ n: order.enrolled, tone: 'good', name: 'enrolled' }, { n: Math.max(0, order.passed - order.enrolled), tone: 'wait', name: 'made, never seen' },
      { n: order.failed, tone: 'bad', name: 'failed' }], order.quota, true),
    h('p', null, `${plural(order.issued, 'device')} made of ${number(order.quota)}: ${number(order.passed)} passed, ${number(order.failed)} failed, ${number(order.enrolled)} enrolled`),
    h('p', { class: 'small quiet' }, `Order ${order.id}, ${order.hardware}`, order.station && `, station ${order.station}`, ', key ', short(order.station_key),
      ', valid until ', at(order.not_after), order.reason && `, revoked: ${order.reason}`),
    h('p', { class: 'small' }, h('a', { href: `#/factory${api.query({ order: order.id })}` }, 'Its devices'))));
}

function made(data, query) {
  return h('div', { class: 'card flush' }, table('Made', [
    { name: 'Device', cell: (item) => item.enrolled ? h('a', { href: `#/devices/${encodeURIComponent(item.id)}` }, item.id) : item.id },
    { name: 'Test', cell: (item) => h('span', { class: `state ${{ pass: 'good', fail: 'bad' }[item.result] ?? 'mute'}` }, item.result) },
    { name: 'Reason', class: 'wide', cell: (item) => item.reason ?? '' }, { name: 'Key in', class: 'keep', cell: (item) => item.key_storage },
    { name: 'Debug', cell: (item) => lock(item.debug) }, { name: 'Read-out', cell: (item) => lock(item.readout) },
    { name: 'Software', cell: (item) => item.version ?? '' }, { name: 'Tester', cell: (item) => item.tester ?? '' },
    { name: 'Made', class: 'keep', cell: (item) => at(item.made) },
    { name: 'Seen', class: 'keep', cell: (item) => (item.enrolled ? ago(item.enrolled) : 'never') },
  ], data.devices.items, query.q ? 'No batch record has such a device.' : query.unseen ? 'Every device that was made has come.' : 'No batch record was imported yet.'));
}

/* What was asked for by name stands first on the page. */
function devices(data, ctx) {
  const { q, order, unseen } = ctx.query;
  return [h('div', { class: 'head' }, h('h2', null, q ? `Devices named like ${q}` : order ? `Devices of order ${order}` : 'Devices'),
    (q || order || unseen) && h('a', { href: '#/factory' }, 'Show all'),
    !unseen && h('a', { href: `#/factory${api.query({ ...ctx.query, unseen: 'true' })}` }, 'Only those never seen')),
  made(data, ctx.query)];
}

export const factory = {
  title: () => 'Factory',
  load: async (args, query, signal) => {
    const [list, open, devices] = await Promise.all([api.get('/factory/orders?limit=100', signal), api.get('/alarms?open=true&limit=100', signal),
      api.get(`/factory/devices${api.query({ limit: 100, ...query })}`, signal)]);
    return { orders: list, alarms: open, devices };
  },
  view: (data, ctx) => [
    h('div', { class: 'head' }, h('h1', null, 'Factory'), h('span', { class: 'quiet' }, plural(data.orders.total, 'order'))),
    ...(ctx.query.q || ctx.query.order ? [devices(data, ctx), alarms(data, ctx), orders(data)] : [alarms(data, ctx), orders(data), devices(data, ctx)]),
  ],
};
