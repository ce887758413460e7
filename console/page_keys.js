// SPDX-License-Identifier: Apache-2.0
// Who may sign what, until when, and what to do about it: roots, certificates, key sets of products.
import { h, bar, facts, table } from '/dom.js';
import * as api from '/api.js';
import { ago, at, number, plural, short } from '/words.js';

const repositories = { image: 'Image repository', director: 'Director repository' };
const certificates = {
  'server.crt': ['Server', 'devices check it at every connection', 'holdfast certificate renew'],
  'server-ca.crt': ['Server CA', 'devices pin it', 'holdfast ca rotate server'],
  'device-ca.crt': ['Device CA', 'issues the certificates devices connect with', 'holdfast ca rotate device'],
  'factory-ca.crt': ['Factory CA', 'vouches for devices as they are made', null],
};
const online = ['snapshot', 'timestamp'];

/** Words of the server with its commands set apart: "holdfast root renew, let the holders sign". */
export const commands = (words) => words.split(/(holdfast [^,;:]+)/).map((part) => (part.startsWith('holdfast ') ? h('code', { class: 'mono' }, part) : part));

/** The command that makes a role's file last longer; null where the server does it by itself. */
function renewal(repository, role) {
  if (role === 'root') return repository === 'director' ? 'holdfast root renew --director' : 'holdfast root renew';
  if (repository === 'director' || online.includes(role)) return null;
  return role === 'targets' ? 'holdfast targets renew' : `holdfast targets renew --role ${role}`;
}

const named = (repository, role) => (role === 'root' ? `Root of the ${repositories[repository].toLowerCase()}`
  : ['targets', ...online].includes(role) ? `${role[0].toUpperCase()}${role.slice(1)} metadata` : `Delegated role ${role}`);

/** What needs somebody now, soonest end first: [{name, expires, words}]. `keys` is GET /keys. */
export function due(keys) {
  const roles = keys.repositories.flatMap((one) => one.roles.filter((role) => role.warning).map((role) => (
    { name: named(one.repository, role.role), expires: role.expires, words: role.warning.replace('--role NAME', `--role ${role.role}`) })));
  const certs = keys.certificates.filter((cert) => cert.warning).map((cert) => (
    { name: `Certificate ${cert.name}`, expires: cert.expires, words: cert.warning }));
  return [...roles, ...certs].sort((a, b) => new Date(a.expires) - new Date(b.expires));
}

const over = (time) => new Date(time) <= new Date();

/** One note for each. */
export const dueNotes = (list) => list.map((item) => h('div', { class: over(item.expires) ? 'note bad' : 'note' }, h('div', null,
  h('strong', null, item.name), over(item.expires) ? ' has expired ' : ' expires ', ago(item.expires), '. To do: ', commands(item.words))));

const print = (key) => h('div', null, short(key.sha256), ' ', h('span', { class: 'quiet small' }, key.type));

function repository(one) {
  const columns = [
    { name: 'Role', cell: (role) => h('strong', null, role.role) },
    { name: 'Signed by', class: 'keep', cell: (role) => (role.keys.length === 1 ? 'one key' : `${role.threshold} of ${role.keys.length} keys`) },
    { name: 'Keys, SHA-256', cell: (role) => h('div', null, role.keys.map(print)) },
    { name: 'Version', cell: (role) => role.version ?? '-' },
    { name: 'Expires', class: 'keep', cell: (role) => (role.expires === null ? h('span', { class: 'quiet' }, 'signed for each device')
      : h('span', { class: role.warning ? `state ${over(role.expires) ? 'bad' : 'warn'}` : '' }, ago(role.expires))) },
    { name: 'Renewed with', class: 'wide', cell: (role) => {
      const command = renewal(one.repository, role.role);
      return command ? h('code', { class: 'mono' }, command) : h('span', { class: 'quiet' }, 'the server, by itself');
    } },
  ];
  return h('section', { class: 'card flush', 'aria-label': repositories[one.repository] }, h('h2', null, repositories[one.repository]),
    table(repositories[one.repository], columns, one.roles, 'No root is published.'));
}

function certificateTable(keys) {
  return h('section', { class: 'card flush', 'aria-label': 'Certificates' }, h('h2', null, 'Certificates'), table('Certificates', [
    { name: 'Certificate', cell: (cert) => h('span', null, h('strong', null, certificates[cert.name]?.[0] ?? cert.name), ' ', h('span', { class: 'mono quiet' }, cert.name)) },
    { name: 'What for', cell: (cert) => certificates[cert.name]?.[1] ?? '' },
    { name: 'Expires', class: 'keep', cell: (cert) => h('span', { class: cert.warning ? `state ${over(cert.expires) ? 'bad' : 'warn'}` : '' }, ago(cert.expires)) },
    { name: 'Renewed with', class: 'wide', cell: (cert) => (certificates[cert.name]?.[2] ? h('code', { class: 'mono' }, certificates[cert.name][2])
      : h('span', { class: 'quiet' }, 'no need: it does not expire')) },
  ], keys.certificates, 'The server has read no certificate.'));
}

function spread(set) {
  const all = set.devices + set.behind + set.without;
  if (all === 0) return h('p', { class: 'quiet' }, 'The product has no device yet.');
  return [bar([{ n: set.devices, tone: 'good', name: 'have it' }, { n: set.behind, tone: 'wait', name: 'do not have it yet' },
    { n: set.without, tone: 'mute', name: 'take no key sets' }], all, true),
  h('div', { class: 'legend' }, h('span', { class: 'state good' }, `${number(set.devices)} have it`), h('span', { class: 'state wait' }, `${number(set.behind)} do not have it yet`),
    h('span', { class: 'state' }, `${number(set.without)} take none, or have not said`))];
}

function keyset(product, set) {
  const title = h('h3', null, product.title, ' ', h('span', { class: 'mono quiet' }, product.name));
  if (!set) {
    return h('div', { class: 'wave' }, title, h('p', { class: 'quiet' }, 'None is published: devices believe the image keys that their boot loader was built with. ',
      'Make the first one with ', h('code', { class: 'mono' }, `holdfast keyset create --product ${product.name} --key FILE.pub --out FILE`)));
  }
  return h('div', { class: 'wave' }, h('div', { class: 'top' }, title, h('span', { class: 'n' }, `version ${set.version}, published `, at(set.published))),
    facts(set.keys.map((key) => [key.revoked ? h('span', { class: 'state bad' }, 'revoked') : h('span', { class: 'state good' }, 'may sign'), print(key)])),
    spread(set));
}

function takeover(product, order) {
  const [tone, word] = order.withdrawn ? ['mute', 'withdrawn'] : over(order.expires) ? ['mute', 'expired'] : ['warn', 'handed out'];
  return h('div', { class: 'wave' }, h('div', { class: 'top' }, h('h3', null, product.title, ' ', h('span', { class: 'mono quiet' }, product.name)), h('span', { class: `state ${tone}` }, word),
    h('span', { class: 'n' }, `version ${order.version}, published `, at(order.published))),
  h('p', null, 'Devices move to ', h('span', { class: 'mono' }, order.server), order.withdrawn ? [', and were told of it until ', at(order.withdrawn)]
    : [over(order.expires) ? '; it expired ' : '; it expires ', ago(order.expires)], '.'),
  !order.withdrawn && !over(order.expires) && h('p', { class: 'quiet' }, 'To tell no further device: ', h('code', { class: 'mono' }, `holdfast takeover withdraw ${product.name}`)));
}

function takeovers(data) {
  const some = data.products.map((product, i) => data.orders[i] && takeover(product, data.orders[i])).filter(Boolean);
  return h('section', { class: 'card', 'aria-label': 'Takeover orders' }, h('h2', null, 'Takeover orders'), some.length > 0 ? some
    : h('p', { class: 'quiet' }, 'None: no device is told to leave this server. An order that the holders of the root keys sign moves a product to another one: ',
      h('code', { class: 'mono' }, 'holdfast takeover create')));
}

export const keys = {
  title: () => 'Keys and expiry',
  async load(args, query, signal) {
    const [all, products] = await Promise.all([api.get('/keys', signal), api.get('/products?limit=500', signal)]);
    const sets = await Promise.all(products.items.map((product) => product.keyset && api.get(`/products/${product.name}/keyset`, signal)));
    const orders = await Promise.all(products.items.map((product) => product.takeover && api.get(`/products/${product.name}/takeover`, signal)));
    return { keys: all, products: products.items, sets, orders };
  },
  view: (data) => {
    const list = due(data.keys);
    return [
      h('div', { class: 'head' }, h('h1', null, 'Keys and expiry'), h('span', { class: 'quiet' }, list.length === 0 ? 'nothing needs renewal' : `${plural(list.length, 'thing')} to renew`)),
      h('p', { class: 'quiet' }, 'Who may sign what, and until when. Root and targets keys belong to people and are never on this server.'),
      dueNotes(list),
      data.keys.repositories.map(repository),
      h('section', { class: 'card', 'aria-label': 'Key sets' }, h('h2', null, 'Key sets'),
        h('p', { class: 'quiet' }, 'The keys a device accepts images from. The holders of the root keys sign a set; devices take the newest.'),
        data.products.length === 0 ? h('p', { class: 'quiet' }, 'There is no product yet.') : data.products.map((product, i) => keyset(product, data.sets[i]))),
      takeovers(data),
      certificateTable(data.keys),
    ];
  },
};
