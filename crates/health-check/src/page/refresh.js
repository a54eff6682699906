
// Asks for the page again and puts the new one in place; what was unfolded stays so. Says when that fails: an old page
// must not be taken for a good one.
(() => {
  const stale = document.getElementById('stale');
  let last = Date.now();
  const refresh = async () => {
    try {
      const answer = await fetch(location.pathname, { cache: 'no-store', signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const live = page.getElementById('live');
      for (const open of document.querySelectorAll('details[open]')) {
        const same = live.querySelector('#' + open.id);
        if (same) same.open = true;
      }
      document.getElementById('live').replaceWith(document.adoptNode(live));
      document.querySelector('footer').replaceWith(document.adoptNode(page.querySelector('footer')));
      document.querySelector('link[rel=icon]').href = page.querySelector('link[rel=icon]').href;
      document.title = page.title;
      last = Date.now();
      stale.hidden = true;
    } catch {
      const seconds = Math.round((Date.now() - last) / 1000);
      stale.textContent = 'Health-check does not answer. This page is ' + seconds + ' s old.';
      stale.hidden = false;
    }
    setTimeout(refresh, EVERY_MS);
  };
  setTimeout(refresh, EVERY_MS);
})();
