/** Light, dark, or as the system is. */
import { useEffect, useState } from 'preact/hooks';

const CHOICES = ['auto', 'light', 'dark'] as const;
const LABELS = { auto: '◐ Auto', light: '○ Light', dark: '● Dark' } as const;

/** Sent to the document when colours change, for what draws on canvases. */
export const THEME_EVENT = 'osler-theme';

/** Switches the colours of the page. */
export function ThemeButton() {
  const [choice, setChoice] = useState<(typeof CHOICES)[number]>('auto');
  useEffect(() => {
    const { classList } = document.documentElement;
    classList.toggle('light', choice === 'light');
    classList.toggle('dark', choice === 'dark');
    const announce = () => document.dispatchEvent(new Event(THEME_EVENT));
    announce();
    const system = matchMedia('(prefers-color-scheme: dark)');
    system.addEventListener('change', announce);
    return () => system.removeEventListener('change', announce);
  }, [choice]);
  const next = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length] as (typeof CHOICES)[number];
  return (
    <button type="button" class="theme" title={`Colours: ${choice}`} onClick={() => setChoice(next)}>
      {LABELS[choice]}
    </button>
  );
}
