// SPDX-License-Identifier: Apache-2.0
// The public REST API and nothing else. The session is a cookie the page cannot read; changes carry its CSRF token.

let csrf = '';
export const session = { name: '', scopes: [] };

/** A refusal, with the server's own words. */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.what ?? body?.title ?? `The server answered ${status}`);
    this.status = status;
    this.where = body?.where ?? '';
    this.todo = body?.todo ?? '';
  }
}

async function call(method, path, body, signal) {
  let reply;
  try {
    reply = await fetch(`/api/v1${path}`, {
      method, signal, credentials: 'same-origin', cache: 'no-store',
      headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...(method !== 'GET' && { 'X-CSRF-Token': csrf }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(0, { what: 'The server cannot be reached', todo: 'Check that holdfast serve is running; this page keeps trying' });
  }
  const data = reply.status === 204 ? null : await reply.json().catch(() => null);
  if (!reply.ok) throw new Problem(reply.status, data);
  return data;
}

export const get = (path, signal) => call('GET', path, undefined, signal);
export const post = (path, body) => call('POST', path, body ?? {});
export const patch = (path, body) => call('PATCH', path, body);
export const remove = (path) => call('DELETE', path);
export const may = (scope) => session.scopes.includes(scope);

function keep(said) {
  csrf = said?.csrf ?? '';
  session.name = said?.name ?? '';
  session.scopes = said?.scopes ?? [];
}

/** Is somebody logged in? */
export async function resume() {
  try {
    keep(await get('/session'));
    return true;
  } catch (problem) {
    if (problem.status === 401) return false;
    throw problem;
  }
}

export async function login(name, password) {
  keep(await post('/session', { name, password }));
}

export async function logout() {
  await remove('/session').catch(() => null);
  keep(null);
}

/** '?a=1&b=2' of what is set. */
export function query(values) {
  const said = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== '' && value !== null && value !== undefined));
  return said.size ? `?${said}` : '';
}
