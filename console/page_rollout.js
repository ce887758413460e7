// SPDX-License-Identifier: Apache-2.0
import { h, bar, facts, ask } from '/dom.js';
import * as api from '/api.js';
import { state, parts, plural, at, tone, number, action, capital } from '/words.js';

const share = (wave) => wave.group ? `group ${wave.group}` : `${wave.percent} %`;

/** A rollout in one line: how many of its devices are where. */
export function progress(rollout) {
  return h('div', { class: 'row' }, h('span', { class: 'small quiet' }, `wave ${rollout.wave} of ${rollout.waves}`),
    bar(parts(rollout.counts), rollout.devices), h('span', { class: 'n small' }, `${number(rollout.counts.confirmed)} / ${number(rollout.devices)}`));
}

function waves(rollout) {
  return rollout.wave_list.map((wave) => h('div', { class: 'wave' },
    h('div', { class: 'top' }, h('strong', null, `Wave ${wave.number}`), h('span', null, share(wave)), state(wave.state === 'running' ? rollout.state : wave.state),
      h('span', { class: 'n' }, `${number(wave.counts.confirmed)} of ${plural(wave.devices, 'device')} confirmed`)),
    bar(parts(wave.counts), wave.devices, true),
    h('div', { class: 'legend' }, parts(wave.counts).filter((part) => part.n > 0).map((part) =>
      h('span', { class: `state ${tone(part.name)}` }, `${part.name} ${number(part.n)}`)))));
}

function act(rollout, verb, ctx, danger) {
  return async () => {
    const said = await ask(`${capital(verb)} the rollout of ${rollout.version}`,
      verb === 'abort' ? 'Devices that have not started are no longer offered it. This cannot be undone.' : null, capital(verb),
      [{ name: 'reason', label: 'Reason', required: true }], danger);
    if (said) await ctx.change(() => api.post(`/rollouts/${rollout.id}/${verb}`, said), `Rollout: ${verb} done`);
  };
}

function actions(rollout, ctx) {
  const can = { running: ['pause', 'abort'], paused: ['resume', 'abort'], stopped: ['resume', 'abort'] }[rollout.state] ?? [];
  return api.may('operate') && h('div', { class: 'end' }, can.map((verb) => h('button', {
    class: verb === 'abort' ? 'danger' : '', data: { key: verb }, onclick: act(rollout, verb, ctx, verb === 'abort') }, capital(verb))));
}

export const rollout = {
  title: () => 'Rollout',
  load: ([id], query, signal) => api.get(`/rollouts/${encodeURIComponent(id)}`, signal),
  view: (data, ctx) => [
    h('div', { class: 'head' }, h('h1', null, `${data.product} ${data.version}`), state(data.state), actions(data, ctx)),
    data.reason && h('div', { class: `note ${data.state === 'done' ? 'good' : 'bad'}` }, data.reason),
    h('div', { class: 'grid' },
      h('div', { class: 'card w8' }, h('h2', null, 'Waves'), waves(data)),
      h('div', { class: 'card w4' }, h('h2', null, 'Rules'), facts([
        ['Next wave at', `${data.success_percent} % confirmed`], ['Failures allowed', number(data.max_failures)],
        ['Devices', number(data.devices)], ['Only group', data.group], ['Deadline', data.deadline ? at(data.deadline) : null],
        ['Started', at(data.created)], ['By', data.by]])),
      (data.history ?? []).length > 0 && h('div', { class: 'card w12' }, h('h2', null, 'History'),
        h('ul', { class: 'time' }, data.history.map((entry) => h('li', null, h('span', { class: 'quiet small' }, at(entry.time)),
          h('div', null, action(entry.what), entry.by && h('span', { class: 'quiet' }, ` by ${entry.by}`), entry.reason && h('div', { class: 'quiet small' }, entry.reason))))))),
  ],
};
