import { useEffect, useState } from 'preact/hooks';

export type Theme = 'light' | 'dark';

const key = 'sentinel.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

function chosen(): Theme | null {
  try {
    const t = localStorage.getItem(key);
    return t === 'light' || t === 'dark' ? t : null;
  } catch {
    return null; // storage may be forbidden
  }
}

function apply() {
  document.documentElement.dataset.theme = chosen() ?? (dark.matches ? 'dark' : 'light');
  window.dispatchEvent(new Event('themechange'));
}

/** Follows the system until somebody chooses. */
export function startTheme() {
  dark.addEventListener('change', apply);
  apply();
}

export function currentTheme(): Theme {
  return document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light';
}

export function toggleTheme() {
  try {
    localStorage.setItem(key, currentTheme() === 'dark' ? 'light' : 'dark');
  } catch {
    document.documentElement.dataset.theme = currentTheme() === 'dark' ? 'light' : 'dark';
    window.dispatchEvent(new Event('themechange'));
    return;
  }
  apply();
}

export function useTheme(): Theme {
  const [theme, setTheme] = useState(currentTheme);
  useEffect(() => {
    const changed = () => setTheme(currentTheme());
    window.addEventListener('themechange', changed);
    return () => window.removeEventListener('themechange', changed);
  }, []);
  return theme;
}
