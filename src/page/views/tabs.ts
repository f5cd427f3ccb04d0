// The three views of the page, as tabs. https://www.w3.org/WAI/ARIA/apg/patterns/tabs/
import { getById } from '../dom.js';

export function setUpTabs(): void {
  const tabs = [...getById('tabs').querySelectorAll<HTMLButtonElement>('[role=tab]')];

  function select(tab: HTMLButtonElement): void {
    for (const other of tabs) {
      const isSelected = other === tab;
      other.setAttribute('aria-selected', `${isSelected}`);
      other.tabIndex = isSelected ? 0 : -1;
      getById(other.getAttribute('aria-controls') as string).hidden = !isSelected;
    }
    history.replaceState(null, '', `#${tab.id}`);
  }

  const KEYS: Record<string, (index: number) => number> = {
    ArrowRight: (index) => (index + 1) % tabs.length,
    ArrowLeft: (index) => (index + tabs.length - 1) % tabs.length,
    Home: () => 0,
    End: () => tabs.length - 1,
  };
  for (const [index, tab] of tabs.entries()) {
    tab.addEventListener('click', () => select(tab));
    tab.addEventListener('keydown', (event) => {
      const to = KEYS[event.key]?.(index);
      if (to === undefined) return;
      event.preventDefault();
      const chosen = tabs[to] as HTMLButtonElement;
      select(chosen);
      chosen.focus();
    });
  }
  const linked = tabs.find(({ id }) => `#${id}` === location.hash);
  select(linked ?? (tabs[0] as HTMLButtonElement));
}
