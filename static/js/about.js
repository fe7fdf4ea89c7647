// Brings how a plugin did in other jobs into the panel of its stage, once the panel's part about the plugin is opened.
(() => {
  "use strict";
  document.addEventListener("toggle", async ({ target }) => { // it does not bubble, so it is caught on its way down
    const place = target.open && target.querySelector(":scope > [data-plot]");
    if (!place) return;
    const address = place.dataset.plot;
    place.removeAttribute("data-plot");
    try {
      const answer = await fetch(address, { headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      place.replaceChildren(...page.body.children);
    } catch {
      place.dataset.plot = address; // asked for again when it is opened the next time; its link stands there meanwhile
    }
  }, true);
})();
