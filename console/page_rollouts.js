// SPDX-License-Identifier: Apache-2.0
import { h, table } from '/dom.js';
import * as api from '/api.js';
import { state, at } from '/words.js';
import { progress } from '/page_rollout.js';

export const rollouts = {
  title: () => 'Rollouts',
  load: (args, query, signal) => api.get('/rollouts?limit=100', signal),
  view: (data) => [
    h('div', { class: 'head' }, h('h1', null, 'Rollouts')),
    h('div', { class: 'card flush' }, table('Rollouts', [
      { name: 'Release', cell: (rollout) => h('a', { href: `#/rollouts/${rollout.id}` }, `${rollout.product} ${rollout.version}`) },
      { name: 'State', cell: (rollout) => state(rollout.state) },
      { name: 'Progress', cell: (rollout) => progress(rollout) },
      { name: 'Started', cell: (rollout) => at(rollout.created) },
      { name: 'Reason', cell: (rollout) => rollout.reason ?? '' },
    ], data.items, h('span', null, 'None yet. ', h('a', { href: '#/releases' }, 'Start one from a release.')))),
  ],
};
