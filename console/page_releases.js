// SPDX-License-Identifier: Apache-2.0
import { h, table, ask } from '/dom.js';
import * as api from '/api.js';
import { at, short, plural } from '/words.js';

async function start(release, groups, ctx) {
  const said = await ask(`Roll out ${release.product} ${release.version}`,
    'A wave starts when the one before has the wanted share confirmed and fewer failures than allowed. Otherwise the rollout stops by itself.', 'Start', [
      { name: 'waves', label: 'Waves, percent of the fleet', value: '5, 25, 100', required: true },
      { name: 'success_percent', label: 'Confirmed before the next wave, percent', type: 'number', value: 90, min: 1, max: 100, required: true },
      { name: 'max_failures', label: 'Failures it may have before it stops', type: 'number', value: 0, min: 0, required: true },
      { name: 'group', label: 'Only devices of group', value: '', options: [{ value: '', label: 'all devices' },
        ...groups.map((group) => ({ value: group.name, label: group.name }))] }]);
  if (!said) return;
  await ctx.change(async () => {
    const made = await api.post('/rollouts', {
      product: release.product, version: release.version, success_percent: Number(said.success_percent), max_failures: Number(said.max_failures),
      waves: said.waves.split(/[\s,]+/).filter(Boolean).map((percent) => ({ percent: Number(percent) })), ...(said.group && { group: said.group }) });
    location.hash = `#/rollouts/${made.id}`;
  }, `Rollout of ${release.version} started`);
}

export const releases = {
  title: () => 'Releases',
  async load(args, query, signal) {
    const [page, groups] = await Promise.all([api.get('/releases?limit=200', signal), api.get('/groups', signal)]);
    return { items: page.items, groups: groups.items };
  },
  view: (data, ctx) => [
    h('div', { class: 'head' }, h('h1', null, 'Releases')),
    h('p', { class: 'quiet' }, 'Made and signed on an operator’s machine with ', h('span', { class: 'mono' }, 'holdfast release create'),
      '; this server holds no key that could sign one.'),
    h('div', { class: 'card flush' }, table('Releases', [
      { name: 'Release', cell: (release) => h('span', null, release.product, ' ', h('strong', null, release.version), ' ',
        release.security && h('span', { class: 'tag warn' }, 'security')) },
      { name: 'Notes', cell: (release) => release.notes },
      { name: 'Runs on', cell: (release) => h('a', { href: `#/devices${api.query({ product: release.product, version: release.version })}` }, plural(release.devices, 'device')) },
      { name: 'SBOM', cell: (release) => release.sbom ? short(release.sbom) : h('span', { class: 'tag warn' }, 'no SBOM') },
      { name: 'Made', cell: (release) => h('span', null, at(release.created), h('div', { class: 'quiet small' }, 'by ', release.by)) },
      { name: '', cell: (release) => api.may('operate') && h('button', { data: { key: `start-${release.product}-${release.version}` },
        onclick: () => start(release, data.groups, ctx) }, 'Roll out') },
    ], data.items, 'No release yet. Make one with: holdfast release create PRODUCT VERSION --image main=FILE …')),
  ],
};
