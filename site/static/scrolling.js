// A table that is wider than the screen scrolls in its own box; who has no mouse reaches that box with the tab key.
const makeReachable = () => {
  for (const box of document.querySelectorAll('.bd-article table, .bd-article .math-block, .bd-article .text_html'))
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
};

addEventListener('load', makeReachable);
addEventListener('resize', makeReachable);
