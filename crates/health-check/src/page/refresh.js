
// Asks for the page again and changes what is other on it. What is the same stays as it is: the focus, what is unfolded, what
// is selected, how far a table is scrolled. Says when nobody answers: an old page must not be taken for a good one.
(() => {
  const at = id => document.getElementById(id);
  const stale = at('stale');
  const icon = document.querySelector('link[rel=icon]');
  const zone = { hour: '2-digit', minute: '2-digit' };
  let title = document.title;
  let last = new Date();

  // Times where the reader is.
  const local = () => {
    for (const time of document.querySelectorAll('time')) {
      const moment = new Date(time.dateTime);
      const other = moment.toDateString() !== new Date().toDateString();
      time.title = time.dateTime;
      time.textContent = moment.toLocaleString([], other ? { day: 'numeric', month: 'short', ...zone } : zone);
    }
  };

  const morph = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (name !== 'open' && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const ids = new Set([...fresh.children].map(child => child.id));
    for (const child of [...old.children]) {
      if (child.id && !ids.has(child.id)) child.remove();
    }
    let next = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const same = child.id
        ? [...old.children].find(one => one.id === child.id)
        : next && !next.id && next.nodeName === child.nodeName ? next : undefined;
      if (!same) {
        old.insertBefore(document.importNode(child, true), next);
        continue;
      }
      if (same === next) next = next.nextSibling;
      else old.insertBefore(same, next);
      morph(same, child);
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
  };

  const refresh = async () => {
    try {
      const answer = await fetch(location.pathname, { cache: 'no-store', signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const focused = document.activeElement;
      morph(at('live'), page.getElementById('live'));
      morph(document.querySelector('footer'), page.querySelector('footer'));
      // What was moved has lost it.
      if (focused.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
      icon.href = page.querySelector('link[rel=icon]').href;
      if (page.title !== title || !stale.hidden) {
        const lead = document.querySelector('.lead');
        at('said').textContent = page.title + '. ' + document.querySelector('h1').textContent + '. ' + (lead ? lead.textContent : '');
      }
      document.title = title = page.title;
      document.body.className = '';
      last = new Date();
      stale.hidden = true;
      local();
    } catch {
      // Said once: whoever listens need not hear it each time.
      if (stale.hidden) {
        stale.textContent = 'Health-check does not answer: this page is of ' + last.toLocaleTimeString() + ', and nothing is known since.';
        stale.hidden = false;
        document.body.className = 'gone';
        document.title = '? no answer · ' + title;
        icon.href = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><path d='M1 1l7 7M8 1l-7 7' stroke='%23667085' stroke-width='2'/></svg>";
      }
    }
    setTimeout(refresh, EVERY_MS);
  };
  local();
  setTimeout(refresh, EVERY_MS);
})();
