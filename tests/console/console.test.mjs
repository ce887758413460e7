// SPDX-License-Identifier: Apache-2.0
// The console in a real browser, against a real server with a real fleet. Started by tools/demo --then, which gives:
//   HF_URL HF_NAME HF_PASSWORD HF_DEVICES (how many there are) HF_SHOTS (folder for screenshots) HF_PROGRAM (holdfast) and
//   HOLDFAST_WORKSPACE, HOLDFAST_PASSPHRASE for it
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chromium } from 'playwright-core';

const { HF_URL: url, HF_NAME: name, HF_PASSWORD: password, HF_SHOTS: shots, HF_PROGRAM: program, HOLDFAST_WORKSPACE: workspace } = process.env;
const fleet = Number(process.env.HF_DEVICES);
const pages = { overview: '/', devices: '/devices', device: '/devices/demo-0001', releases: '/releases', rollouts: '/rollouts', factory: '/factory', keys: '/keys', identity: '/identity', audit: '/audit' };
let browser;
let context;
let page;
const trouble = [];

async function open(where, heading) {
  await page.goto(`${url}/#${where}`);
  await page.getByRole('heading', { level: 1, name: heading }).waitFor();
}

async function login(into) {
  await into.goto(`${url}/`);
  await into.getByLabel('Name').fill(name);
  await into.getByLabel('Password').fill(password);
  await into.getByRole('button', { name: 'Log in' }).click();
  await into.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
}

/** What an operator does at the command line: holdfast WORDS. */
const cli = (...words) => execFileSync(program, words, { cwd: shots, encoding: 'utf8' });

function listen(to) {
  to.on('console', (message) => { if (message.type() === 'error' && !/status of 40[13]/.test(message.text())) trouble.push(message.text()); });
  to.on('pageerror', (error) => trouble.push(String(error)));
}

test.before(async () => {
  fs.mkdirSync(shots, { recursive: true });
  browser = await chromium.launch({ executablePath: process.env.HF_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu',
    '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
  context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  page = await context.newPage();
  page.setDefaultTimeout(20000);
  listen(page);
});
test.after(() => browser.close());

test('a wrong password is refused in words, and the page stays', async () => {
  await page.goto(`${url}/`);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill('not the password');
  await page.screenshot({ path: path.join(shots, 'login.png') });
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('alert').filter({ hasText: /\w+/ }).waitFor();
});

test('logging in shows the whole fleet', async () => {
  await login(page);
  await page.locator('.figure').first().filter({ hasText: String(fleet) }).waitFor();
});

test('the session cookie is out of reach of scripts', async () => {
  const cookie = (await context.cookies()).find((one) => one.httpOnly);
  assert.ok(cookie, 'an HttpOnly cookie');
  assert.equal(cookie.sameSite, 'Strict');
  assert.equal(await page.evaluate(() => document.cookie), '');
});

test('a change without the CSRF token is refused', async () => {
  const status = await page.evaluate(async () => (await fetch('/api/v1/devices/demo-0001/block', { method: 'POST',
    headers: { 'Content-Type': 'application/json' }, body: '{"reason":"forged"}' })).status);
  assert.equal(status, 403);
});

test('the policy keeps foreign scripts and frames out', async () => {
  const reply = await page.request.get(`${url}/`);
  const policy = reply.headers()['content-security-policy'];
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /script-src 'self'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  assert.equal(reply.headers()['x-content-type-options'], 'nosniff');
});

test('the device list filters by serial number, from the keyboard', async () => {
  await open('/devices', 'Devices');
  await page.keyboard.press('/');
  await page.keyboard.type('demo-0002');
  await page.locator('tbody tr').first().filter({ hasText: 'demo-0002' }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
  assert.match(page.url(), /q=demo-0002/);
});

test('one device shows what it runs, who it is and what happened', async () => {
  await open('/devices/demo-0001', 'demo-0001');
  await page.getByText('Fingerprint').waitFor();
  await page.getByText('can be copied').waitFor(); // its key is a file, and the page says so
  await page.getByRole('cell', { name: '1.3.0' }).waitFor();
  assert.ok(await page.locator('.time li').count() > 3);
});

test('what a device runs is marked as proven by its signature', async () => {
  await open('/devices/demo-0001', 'demo-0001');
  await page.getByRole('region', { name: 'Components' }).getByText('proven by its signature').waitFor();
  await page.getByRole('region', { name: 'Identity' }).getByText('none: its boot loader takes none').waitFor();
});

test('the reason of a refusal is told in words, with what to do and the rule', async () => {
  await open('/devices/demo-0001', 'demo-0001');
  const timeline = page.getByRole('region', { name: 'Timeline' });
  await timeline.getByText('To do: ').first().waitFor();
  assert.match(await timeline.getByText(/rule \d+, /).first().textContent(), /^[A-Z0-9_]+ rule \d+, \S/);
});

test('what a device says about itself stays text', async () => {
  const evil = '<img src=x onerror=window.owned=1>';
  await open('/devices/demo-0003', 'demo-0003');
  await page.getByRole('button', { name: 'Set' }).click();
  await page.locator('dialog').getByLabel('Name').fill('note');
  await page.locator('dialog').getByLabel('Value').fill(evil);
  await page.locator('dialog').getByRole('button', { name: 'Set' }).click();
  await page.getByText(evil, { exact: false }).first().waitFor();
  assert.equal(await page.evaluate(() => window.owned), undefined);
});

test('blocking asks for a reason, takes effect, and can be undone', async () => {
  await open('/devices/demo-0004', 'demo-0004');
  await page.getByRole('button', { name: 'Block' }).click();
  await page.locator('dialog').getByLabel('Reason').fill('console test');
  await page.screenshot({ path: path.join(shots, 'dialog.png') });
  await page.locator('dialog').getByRole('button', { name: 'Block' }).click();
  await page.locator('.head .state', { hasText: 'blocked' }).waitFor();
  await page.getByRole('button', { name: 'Unblock' }).click();
  await page.locator('dialog').getByLabel('Reason').fill('console test over');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Block', exact: true }).waitFor();
});

test('a rollout shows its waves and why it stopped', async () => {
  await open('/rollouts', 'Rollouts');
  await page.screenshot({ path: path.join(shots, 'rollouts.png'), fullPage: true });
  await page.getByRole('link', { name: 'thermostat 1.2.0' }).click();
  await page.locator('.head .state', { hasText: 'stopped' }).waitFor();
  await page.getByText('Wave 1', { exact: true }).waitFor();
  await page.screenshot({ path: path.join(shots, 'rollout-stopped.png'), fullPage: true });
  await page.goBack();
  await page.getByRole('link', { name: 'thermostat 1.3.0' }).click();
  await page.locator('.head .state', { hasText: 'done' }).waitFor();
  await page.screenshot({ path: path.join(shots, 'rollout-done.png'), fullPage: true });
});

test('the audit log names who did what', async () => {
  await open('/audit', 'Audit log');
  await page.getByText('console test').first().waitFor();
});

test('roots, roles, keys and certificates stand on one page with the command that renews each', async () => {
  await open('/keys', 'Keys and expiry');
  await page.getByText('nothing needs renewal').waitFor();
  const image = page.getByRole('table', { name: 'Image repository' });
  await image.getByRole('row', { name: /^root one key/ }).getByText('holdfast root renew').waitFor();
  await image.getByRole('row', { name: /^timestamp/ }).getByText('the server, by itself').waitFor();
  await page.getByRole('table', { name: 'Director repository' }).getByText('holdfast root renew --director').waitFor();
  await page.getByRole('row', { name: /^Factory CA/ }).getByText('never').waitFor();
});

test('a key set is shown with what is revoked and how far it has got', async () => {
  await open('/keys', 'Keys and expiry');
  await page.getByText('holdfast keyset create --product thermostat').waitFor();
  const stolen = path.join(shots, 'stolen.pub');
  fs.writeFileSync(stolen, generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }));
  cli('keyset', 'create', '--product', 'thermostat', '--key', path.join(workspace, 'offline', 'image.pub'), '--key', stolen, '--out', 'one.keyset');
  cli('keyset', 'create', '--from', 'one.keyset', '--revoke', stolen, '--out', 'two.keyset');
  cli('keyset', 'sign', 'two.keyset');
  cli('keyset', 'publish', 'two.keyset');
  const sets = page.getByRole('region', { name: 'Key sets' }); // the page follows by itself
  await sets.getByText('version 2, published').waitFor();
  await sets.getByText('revoked').waitFor();
  await sets.getByText(`${fleet} take none, or have not said`).waitFor();
});

test('what expires soon is told on the overview, with the exact command', async () => {
  cli('targets', 'renew', '--expires', '20d', '--out', 'soon.ceremony');
  cli('targets', 'sign', 'soon.ceremony', '--yes');
  cli('targets', 'publish', 'soon.ceremony');
  await open('/', 'Overview');
  const note = page.locator('.note').filter({ hasText: 'Targets metadata' });
  await note.getByText('in 20 d').waitFor();
  await note.getByText('holdfast targets renew', { exact: true }).waitFor();
  await open('/keys', 'Keys and expiry');
  await page.getByText('1 thing to renew').waitFor();
});

test('number keys move between the pages', async () => {
  await open('/', 'Overview');
  await page.keyboard.press('3');
  await page.getByRole('heading', { level: 1, name: 'Releases' }).waitFor();
  await page.keyboard.press('6');
  await page.getByRole('heading', { level: 1, name: 'Keys and expiry' }).waitFor();
  await page.keyboard.press('1');
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
});

for (const [look, options] of Object.entries({
  light: { viewport: { width: 1280, height: 860 }, colorScheme: 'light' }, dark: { viewport: { width: 1280, height: 860 }, colorScheme: 'dark' },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: 'light', deviceScaleFactor: 2 } })) {
  test(`every page fits and is photographed: ${look}`, async () => {
    const other = await browser.newContext(options);
    const shown = await other.newPage();
    shown.setDefaultTimeout(20000);
    listen(shown);
    await login(shown);
    for (const [title, where] of Object.entries(pages)) {
      await shown.goto(`${url}/#${where}`);
      await shown.locator('main h1').waitFor();
      await shown.waitForLoadState('load');
      await shown.waitForTimeout(400);
      const wide = await shown.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${title} is ${wide} pixels too wide`);
      await shown.screenshot({ path: path.join(shots, `${title}-${look}.png`), fullPage: look !== 'phone' });
    }
    await other.close();
  });
}

test('no page logged an error or broke the policy', () => assert.deepEqual(trouble, []));

test('logging out ends the session on the server too', async () => {
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('button', { name: 'Log in' }).waitFor();
  assert.equal(await page.evaluate(async () => (await fetch('/api/v1/overview')).status), 401);
});
