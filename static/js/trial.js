// Tries a plugin on a picture without leaving its page: shows the picture before it is sent, and what comes of it when it is there.
(() => {
  "use strict";
  const ASK_AGAIN_MS = 500;
  const form = document.getElementById("try-form");
  if (!form) return;
  const input = document.getElementById("try-picture");
  const sample = document.getElementById("try-sample");

  async function look() {
    const place = document.getElementById("plugin-trial");
    if (!place.hasAttribute("data-working")) return;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("plugin-trial");
      if (fresh && !fresh.hasAttribute("data-working")) {
        place.replaceChildren(...fresh.children);
        place.removeAttribute("data-working");
        return;
      }
    } catch { /* the server is away for a moment: asked again */ }
    setTimeout(look, ASK_AGAIN_MS);
  }

  input.addEventListener("change", () => {
    const [file] = input.files;
    const before = form.querySelector(".try-preview");
    if (before) URL.revokeObjectURL(before.src);
    before?.remove();
    if (!file?.type.startsWith("image/")) return;
    const picture = Object.assign(new Image(), { src: URL.createObjectURL(file), alt: "", className: "try-preview" });
    picture.addEventListener("error", () => picture.remove());
    input.after(picture);
  });

  form.addEventListener("submit", (event) => {
    if (!input.files.length && event.submitter !== sample) {
      event.preventDefault();
      input.click();
      return;
    }
    if (event.submitter === sample) input.value = "";
    event.submitter.setAttribute("aria-busy", "true");
  });
  look();
})();
