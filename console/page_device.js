// SPDX-License-Identifier: Apache-2.0
import { h, facts, table, ask } from '/dom.js';
import * as api from '/api.js';
import { state, ago, at, lock, short, tone, why } from '/words.js';
import { alarmRow } from '/page_factory.js';

function block(device, ctx) {
  const way = device.blocked ? 'unblock' : 'block';
  return async () => {
    const said = await ask(`${device.blocked ? 'Unblock' : 'Block'} ${device.id}`,
      device.blocked ? 'It will be served again at its next request.' : 'It is refused at its next request, until it is unblocked.',
      device.blocked ? 'Unblock' : 'Block', [{ name: 'reason', label: 'Reason', required: true }], !device.blocked);
    if (said) await ctx.change(() => api.post(`/devices/${encodeURIComponent(device.id)}/${way}`, said), `${device.id} ${way}ed`);
  };
}

function attributes(device, ctx) {
  const path = `/devices/${encodeURIComponent(device.id)}/attributes`;
  const add = async () => {
    const said = await ask('Set an attribute', 'Groups and filters can use it.', 'Set',
      [{ name: 'key', label: 'Name', required: true }, { name: 'value', label: 'Value' }]);
    if (said) await ctx.change(() => api.patch(path, { [said.key]: said.value === '' ? null : said.value }), `${said.key} set`);
  };
  return h('div', { class: 'card w6' }, h('div', { class: 'head' }, h('h2', null, 'Attributes'),
    api.may('operate') && h('div', { class: 'end' }, h('button', { data: { key: 'attribute' }, onclick: add }, 'Set'))),
  device.attributes.length === 0 ? h('p', { class: 'quiet' }, 'None.')
    : facts(device.attributes.map((row) => [row.name, h('span', null, row.value, ' ', h('span', { class: 'tag' }, `set by ${row.by}`))])));
}

function keysetWords(device) {
  if (device.keyset === null) return h('span', { class: 'quiet' }, 'none: its boot loader takes none, or has not said');
  return device.keyset === 0 ? 'none yet: the keys its boot loader was built with' : `version ${device.keyset}`;
}

const certificateStates = { valid: ['good', 'valid'], expiring: ['warn', 'expires soon'], grace: ['warn', 'expired, can still be renewed'],
  expired: ['bad', 'expired: a factory certificate or a one-time token brings it back'], revoked: ['bad', 'revoked'] };

/* What stands out about who it is: each with what it means. */
function warnings(id) {
  return [id.weak && 'its factory certificate is weak', id.shared && 'another device has the same key', id.rotate_by && h('span', null, 'asked to make a new key by ', at(id.rotate_by)),
    id.revoked && h('span', null, 'revoked ', at(id.revoked), `, reason ${id.revoked_reason}`)]
    .filter(Boolean).map((words) => h('div', { class: 'state warn' }, words));
}

function identity(device) {
  const cert = device.certificate;
  const id = device.identity;
  const [tone, words] = certificateStates[id.state] ?? ['mute', id.state];
  const notes = warnings(id);
  return h('section', { class: 'card w6', 'aria-label': 'Identity' }, h('h2', null, 'Identity and keys'), !cert && h('p', { class: 'quiet' }, 'Not enrolled.'), facts([
    ...(cert ? [['Certificate', h('div', null, h('span', { class: `state ${tone}` }, words), h('div', { class: 'mono' }, cert.serial))], ['Issued by', `device CA ${id.ca}`],
      ['Fingerprint', short(cert.fingerprint)], ['Valid until', h('span', null, at(cert.not_after), ' ', h('span', { class: 'quiet' }, ago(cert.not_after)))]] : []),
    ['To look at', notes.length > 0 && notes], ['Key lives in', h('span', null, device.key_storage.words, ' ', device.key_storage.plain && h('span', { class: 'tag warn' }, 'can be copied'))],
    ['Key set', keysetWords(device)], ['Last connection', id.tls && h('span', null, id.tls, id.cipher && h('span', { class: 'quiet' }, ` ${id.cipher}`))], ['Address', device.address],
  ]));
}

function origin(device) {
  return device.factory.map((made) => h('section', { class: 'card w6', 'aria-label': 'Factory' }, h('h2', null, 'Made at a factory'), facts([
    ['Order', h('a', { class: 'mono', href: `#/factory${api.query({ order: made.order })}` }, made.order)], ['Made', at(made.made)],
    ['Test', h('span', null, h('span', { class: `state ${{ pass: 'good', fail: 'bad' }[made.result] ?? 'mute'}` }, made.result), made.reason && ` ${made.reason}`)],
    ['Tester', made.tester], ['Software', made.version], ['Debug port', lock(made.debug)], ['Program memory', lock(made.readout)],
    ['Key', h('span', null, short(made.key), ` ${made.key_storage}`)], ['Certificate', short(made.certificate)],
  ])));
}

/* Open ones stand above everything else; closed ones say what it was. */
function alarms(device, ctx, open) {
  const list = device.alarms.filter((alarm) => !alarm.closed === open);
  return list.length > 0 && h('section', { class: 'card', 'aria-label': open ? 'Alarms' : 'Closed alarms' },
    h('h2', null, open ? 'Alarms' : 'Closed alarms'), list.map((alarm) => alarmRow(alarm, ctx, false)));
}

function update(device) {
  return h('section', { class: 'card w6', 'aria-label': 'Update' }, h('h2', null, 'Update'), facts([
    ['State', state(device.blocked ? 'blocked' : device.state)], ['Blocked because', device.blocked_reason], ['Wanted', device.wanted],
    ['Progress', device.percent !== null ? `${device.percent} %` : null],
    ['Why', device.rule && why(device.rule)],
    ['Postponed until', device.postponed_until ? at(device.postponed_until) : null],
    ['Rollouts', (device.rollouts ?? []).length ? device.rollouts.map((rollout) =>
      h('div', null, h('a', { href: `#/rollouts/${rollout.id}` }, rollout.version), `, wave ${rollout.wave}, ${rollout.state}`)) : null],
  ]));
}

const parts = [
  { name: 'Component', cell: (part) => part.name }, { name: 'Version', cell: (part) => part.version },
  { name: 'Security counter', cell: (part) => part.counter }, { name: 'Slot', cell: (part) => part.slot },
  { name: 'Image digest', cell: (part) => short(part.image) },
  { name: 'Proof', class: 'wide', cell: (part) => (part.proven
    ? h('div', null, h('span', { class: 'state good' }, 'proven by its signature'), h('div', { class: 'quiet small' }, ago(part.proven)))
    : h('div', null, h('span', { class: 'state mute' }, 'unproven'), h('div', { class: 'quiet small' }, 'only an unsigned check-in says so'))) },
];

export const device = {
  title: (args) => args[0],
  async load([id], query, signal) {
    const path = `/devices/${encodeURIComponent(id)}`;
    const [one, timeline] = await Promise.all([api.get(path, signal), api.get(`${path}/timeline?limit=50`, signal)]);
    return { one, timeline };
  },
  view: ({ one, timeline }, ctx) => [
    h('div', { class: 'head' }, h('h1', null, one.id), state(one.blocked ? 'blocked' : one.state),
      api.may('operate') && h('div', { class: 'end' },
        h('button', { class: one.blocked ? '' : 'danger', data: { key: 'block' }, onclick: block(one, ctx) }, one.blocked ? 'Unblock' : 'Block'))),
    h('p', { class: 'quiet' }, one.product, ' on ', one.hardware, ', first seen ', at(one.first_seen), ', last seen ', ago(one.last_seen)),
    alarms(one, ctx, true),
    h('div', { class: 'grid' }, update(one), identity(one)),
    h('section', { class: 'card flush', 'aria-label': 'Components' }, h('h2', null, 'Components'), table('Components', parts, one.components, 'It has not reported any.')),
    h('div', { class: 'grid' }, origin(one), attributes(one, ctx),
      h('section', { class: `card ${one.factory.length % 2 ? 'w12' : 'w6'}`, 'aria-label': 'Timeline' }, h('h2', null, 'Timeline'), timeline.items.length === 0 ? h('p', { class: 'quiet' }, 'Nothing yet.')
        : h('ul', { class: 'time' }, timeline.items.map((event) => h('li', null,
          h('span', { class: 'quiet small' }, at(event.time)),
          h('div', null, h('span', { class: `state ${tone(event.kind)}` }, event.words),
            event.rule && h('div', { class: 'small' }, why(event.rule)))))))),
    alarms(one, ctx, false),
  ],
};
