// Search for Chinese words. Sphinx cuts text at spaces and finds none of them; here a query is cut into pairs of neighbouring
// characters, and the Chinese lines of all pages (chinese_index.js) are asked for these pairs.
const chineseSearch = {
  isChinese: text => /[\u3400-\u9fff]/.test(text),

  pieces(text) {
    const found = new Set();
    for (const [run] of text.toLowerCase().matchAll(/[\u3400-\u9fff]+|[a-z0-9][a-z0-9_.-]*/g)) {
      if (!this.isChinese(run) || run.length < 3) found.add(run);
      else for (let i = 0; i + 1 < run.length; i++) found.add(run.slice(i, i + 2));
    }
    return [...found];
  },

  count(text, piece) { return text.toLowerCase().split(piece).length - 1; },

  find(query, pages) {
    const pieces = this.pieces(query);
    if (!pieces.length) return [];
    const rare = new Map(pieces.map(piece => {
      const holders = pages.filter(page => page.lines.some(line => this.count(line, piece) > 0)).length;
      return [piece, Math.log(1 + pages.length / (1 + holders))];
    }));
    const worth = line => pieces.reduce((sum, piece) => sum + rare.get(piece) * Math.min(this.count(line, piece), 3), 0);
    const judged = pages.map(page => {
      const held = pieces.filter(piece => page.title.toLowerCase().includes(piece) || page.lines.some(line => this.count(line, piece) > 0));
      const lines = page.lines.map(line => [worth(line), line]).filter(([value]) => value > 0).sort((a, b) => b[0] - a[0]);
      const whole = page.lines.some(line => line.includes(query)) ? 5 : 0;
      return { page, share: held.length / pieces.length, value: whole + 3 * worth(page.title) + lines.slice(0, 5).reduce((sum, [value]) => sum + value, 0), line: lines.length ? lines[0][1] : '' };
    });
    return judged.filter(found => found.share >= .5).sort((a, b) => b.share - a.share || b.value - a.value);
  },

  excerpt(line, query) {
    const pieces = [query, ...this.pieces(query)];
    const at = Math.max(0, pieces.map(piece => line.toLowerCase().indexOf(piece)).find(place => place >= 0) || 0);
    const start = Math.max(0, at - 40), shown = document.createElement('p');
    shown.className = 'context';
    shown.lang = 'zh-Hans';
    const text = (start ? '……' : '') + line.slice(start, at + 80) + (line.length > at + 80 ? '……' : '');
    const marks = new RegExp('(' + pieces.map(piece => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|') + ')', 'gi');
    text.split(marks).forEach((part, i) => {
      const node = document.createElement(i % 2 ? 'mark' : 'span');
      node.textContent = part;
      shown.append(node);
    });
    return shown;
  },

  show(query) {
    const found = this.find(query.trim(), window.chinesePages || []), box = document.getElementById('search-results');
    const root = document.documentElement.dataset.content_root || '';
    const heading = document.createElement('h2'), words = document.createElement('p'), list = document.createElement('ul');
    heading.textContent = '搜索结果';
    words.textContent = found.length ? `“${query}”：${found.length} 页` : `没有找到“${query}”。`;
    heading.lang = words.lang = 'zh-Hans';
    list.className = 'search';
    for (const { page, line } of found) {
      const item = document.createElement('li'), link = document.createElement('a');
      link.href = `${root}${page.page}.html?highlight=${encodeURIComponent(query)}`;
      link.textContent = page.title;
      item.append(link);
      if (line) item.append(this.excerpt(line, query));
      list.append(item);
    }
    box.replaceChildren(heading, words, list);
  },
};

document.addEventListener('DOMContentLoaded', () => {
  if (typeof Search === 'undefined' || !Search.query) return;
  const english = Search.query;
  Search.query = query => {
    if (!chineseSearch.isChinese(query)) return english(query);
    Search.stopPulse();
    Search.title.innerText = '';
    Search.status.innerText = '';
    chineseSearch.show(query);
  };
});
