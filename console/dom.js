// SPDX-License-Identifier: Apache-2.0
// Elements from data. Text is always set as text, never parsed as HTML: what a device reports cannot become markup.

/** h('a', {href: '#/'}, 'Home') makes an element; on* are listeners, `data` a dataset, false and null children vanish. */
export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'data') Object.assign(node.dataset, value);
    else if (name === 'class') node.className = value;
    else if (name in node && typeof value !== 'string') node[name] = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Replace what a node holds, keeping keyboard focus on the element with the same id or data-key. */
export function fill(node, ...children) {
  const active = document.activeElement;
  const key = node.contains(active) ? active.id || active.dataset.key : '';
  const start = key && 'selectionStart' in active ? active.selectionStart : null;
  node.replaceChildren(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  if (!key) return;
  const again = document.getElementById(key) ?? node.querySelector(`[data-key="${CSS.escape(key)}"]`);
  again?.focus({ preventScroll: true });
  if (again && start !== null && again.setSelectionRange) again.setSelectionRange(start, start);
}

/** Columns: {name, cell(item), class?}. On a phone each row folds into a card. */
export function table(caption, columns, items, empty) {
  if (items.length === 0) return h('div', { class: 'empty' }, empty);
  return h('table', { class: 'fold', 'aria-label': caption },
    h('thead', null, h('tr', null, columns.map((column) => h('th', { scope: 'col' }, column.name)))),
    h('tbody', null, items.map((item) => h('tr', null,
      columns.map((column) => h('td', { class: column.class, data: { name: column.name } }, column.cell(item)))))));
}

/** A bar of coloured parts: [{n, tone, name}] out of a whole. */
export function bar(parts, whole, tall) {
  const words = parts.filter((part) => part.n > 0).map((part) => `${part.n} ${part.name}`).join(', ') || 'none';
  const node = h('div', { class: tall ? 'bar tall' : 'bar', role: 'img', 'aria-label': `${words} of ${whole}` });
  let rest = whole;
  for (const part of parts) {
    if (part.n <= 0) continue;
    const seg = h('div', { class: `seg ${part.tone}`, title: `${part.n} ${part.name}` });
    seg.style.flexGrow = String(part.n);
    rest -= part.n;
    node.append(seg);
  }
  if (rest > 0) {
    const seg = h('div', { class: 'seg' });
    seg.style.flexGrow = String(rest);
    node.append(seg);
  }
  return node;
}

/** Term and value pairs; pairs without a value are left out. */
export function facts(pairs) {
  return h('dl', null, pairs.filter(([, value]) => value !== null && value !== undefined && value !== '' && value !== false)
    .map(([name, value]) => [h('dt', null, name), h('dd', null, value)]));
}

/** Ask before something happens. fields: [{name, label, type?, value?, required?, options?}]; resolves to values or null. */
export function ask(title, text, action, fields, danger) {
  return new Promise((resolve) => {
    const inputs = fields.map((field) => h('label', null, field.label, field.options
      ? h('select', { name: field.name }, field.options.map((option) =>
        h('option', { value: option.value, selected: option.value === field.value }, option.label)))
      : h('input', { name: field.name, type: field.type ?? 'text', value: String(field.value ?? ''),
        required: field.required ?? false, min: field.min, max: field.max, autocomplete: 'off' })));
    const dialog = h('dialog', { 'aria-label': title },
      h('form', { method: 'dialog' }, h('h2', null, title), text && h('p', { class: 'quiet' }, text), inputs,
        h('div', { class: 'end' },
          h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel'),
          h('button', { type: 'submit', class: danger ? 'danger' : 'main', value: 'yes' }, action))));
    dialog.addEventListener('close', () => {
      const said = dialog.returnValue === 'yes' ? Object.fromEntries(new FormData(dialog.querySelector('form'))) : null;
      dialog.remove();
      resolve(said);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
