// The few things that are done with the document everywhere. Text only ever becomes text: no HTML is made of it.

/** An element of the page's own HTML. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found as T;
}

/** A new element with attributes and children; a child that is text is shown as it is. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Fills a <select>, keeping what is chosen if it is still there. */
export function fillSelect(
  select: HTMLSelectElement,
  options: { value: string; text: string; disabled?: boolean }[],
): void {
  const chosen = select.value;
  select.replaceChildren(
    ...options.map(({ value, text, disabled = false }) => {
      const option = element('option', { value }, text);
      option.disabled = disabled;
      return option;
    }),
  );
  if (options.some(({ value, disabled }) => value === chosen && !disabled)) select.value = chosen;
}

/** A colour of style.css, for what is drawn on a canvas. */
export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
