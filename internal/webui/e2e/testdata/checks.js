// Finds what people with other senses or hands would miss. The value is a list
// of sentences, empty when all is well.
(() => {
  const out = [];
  const seen = (el) => {
    const r = el.getBoundingClientRect();
    const s = getComputedStyle(el);
    return r.width > 0 && r.height > 0 && s.visibility !== 'hidden' && s.display !== 'none';
  };
  const show = (el) => el.outerHTML.slice(0, 120);
  const named = (el) => {
    if (el.getAttribute('aria-label')?.trim() || el.title?.trim()) return true;
    const by = el.getAttribute('aria-labelledby');
    if (by && by.split(/\s+/).every((id) => document.getElementById(id)?.textContent.trim())) return true;
    if (el.labels?.length) return [...el.labels].some((l) => l.textContent.trim());
    return el.textContent.trim() !== '';
  };
  for (const el of document.querySelectorAll('a[href], button, input, select, textarea, summary, [role=img], [role=region], nav, section, table')) {
    if (seen(el) && !named(el)) out.push('no name: ' + show(el));
  }
  for (const el of document.querySelectorAll('svg, img, canvas')) {
    if (!el.closest('[aria-hidden=true], [role=img]') && !el.getAttribute('aria-label')) out.push('a picture without a text: ' + show(el));
  }
  const ids = new Set();
  for (const el of document.querySelectorAll('[id]')) {
    if (ids.has(el.id)) out.push('the id ' + el.id + ' is used twice');
    ids.add(el.id);
  }
  if (document.querySelectorAll('h1').length !== 1) out.push('there must be one h1');
  if (!document.documentElement.lang) out.push('the page has no language');
  for (const tag of ['main', 'nav', 'header']) if (!document.querySelector(tag)) out.push('there is no ' + tag);
  for (const el of document.querySelectorAll('[tabindex]')) if (el.tabIndex > 0) out.push('a tabindex above 0: ' + show(el));
  for (const el of document.querySelectorAll('th')) if (!el.scope) out.push('a heading of a table without scope: ' + show(el));

  // Contrast as in WCAG 2.2, success criterion 1.4.3.
  const parse = (c) => {
    const m = c.match(/[\d.]+/g).map(Number);
    return { r: m[0], g: m[1], b: m[2], a: m[3] ?? 1 };
  };
  const over = (top, under) => ({ r: top.r * top.a + under.r * (1 - top.a), g: top.g * top.a + under.g * (1 - top.a), b: top.b * top.a + under.b * (1 - top.a), a: 1 });
  const ground = (el) => {
    const layers = [];
    for (let e = el; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.a > 0) layers.push(c);
      if (c.a === 1) break;
    }
    let c = { r: 255, g: 255, b: 255, a: 1 };
    for (const l of layers.reverse()) c = over(l, c);
    return c;
  };
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (c) => 0.2126 * channel(c.r) + 0.7152 * channel(c.g) + 0.0722 * channel(c.b);
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = new Set();
  while (texts.nextNode()) {
    const el = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !seen(el) || el.closest('.hidden, .skip, :disabled, option, datalist')) continue;
    const s = getComputedStyle(el);
    const under = ground(el);
    const l = [light(over(parse(s.color), under)), light(under)].sort((a, b) => b - a);
    const contrast = (l[0] + 0.05) / (l[1] + 0.05);
    const size = parseFloat(s.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(s.fontWeight) >= 700);
    const key = el.className + s.color + JSON.stringify(under);
    if (contrast < (large ? 3 : 4.5) && !told.has(key)) {
      told.add(key);
      out.push(`contrast ${contrast.toFixed(2)} of "${texts.currentNode.textContent.trim().slice(0, 40)}": ${show(el)}`);
    }
  }
  if (document.documentElement.scrollWidth > innerWidth + 1) out.push(`the page is ${document.documentElement.scrollWidth} wide in a window of ${innerWidth}`);
  return out;
})()
