// Helpers for the document. Strings become text, never HTML, so that no message can act on the page.

/**
 * Return an element of index.html.
 *
 * @throws Error if no element there has this id
 */
export function getById<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found as T;
}

/** Create an element with attributes and children. A string among the children becomes a text node. */
export function createElement<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
  created.append(...children);
  return created;
}

/**
 * Fill a <select> with options. The chosen one stays chosen if it is still there and not disabled. Else `preferred` is
 * chosen, or without it the first.
 */
export function fillSelect(
  select: HTMLSelectElement,
  options: { value: string; text: string; disabled?: boolean }[],
  preferred?: string,
): void {
  const chosen = select.value;
  select.replaceChildren(
    ...options.map(({ value, text, disabled = false }) => {
      const option = createElement('option', { value }, text);
      option.disabled = disabled;
      return option;
    }),
  );
  const wanted = [chosen, preferred].find((name) => options.some(({ value, disabled }) => value === name && !disabled));
  if (wanted !== undefined) select.value = wanted;
}

/** Read a colour of style.css: a canvas takes no CSS variables. */
export const readColour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
