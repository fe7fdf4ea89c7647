// The files chosen for new jobs: dropped or picked, alone or by the folder, shown with a first picture before they are sent.
(() => {
  "use strict";
  const form = document.getElementById("new-job-form");
  if (!form) return;
  const MEDIA = /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|m?ts|m2ts|wmv|flv|3gp|ogv|mjpe?g|jpe?g|png|bmp|gif|tiff?|webp|avif|jp2)$/i;
  const SHOWN = 6;
  const input = document.getElementById("source-input");
  const drop = form.querySelector(".drop");
  const list = document.getElementById("chosen-files");
  const words = document.getElementById("chosen-words");
  const place = document.getElementById("source-preview");
  const folderButton = document.getElementById("choose-folder");
  const limit = Number(form.dataset.limit);

  input.multiple = true; // each file becomes a job of its own; without scripts a form takes one

  const isMedia = (file) => /^(image|video)\//.test(file.type) || MEDIA.test(file.name);
  const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} KB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`);

  function take(files) {
    const kept = new DataTransfer();
    for (const file of files) kept.items.add(file);
    input.files = kept.files;
    show();
  }

  // Media of a folder; what else lies in it is left out, and told.
  function takeFolder(files) {
    const media = files.filter(isMedia).sort((a, b) => (a.webkitRelativePath || a.name).localeCompare(b.webkitRelativePath || b.name));
    take(media);
    const others = files.length - media.length;
    if (!media.length) words.textContent = "There is no video and no image in that folder.";
    else if (others) words.textContent += ` ${others} other ${others === 1 ? "file was" : "files were"} left out.`;
  }

  function row(file, index) {
    const item = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = file.webkitRelativePath || file.name;
    const told = document.createElement("span");
    told.className = "hint";
    told.textContent = size(file.size);
    const remove = document.createElement("button");
    Object.assign(remove, { type: "button", className: "button quiet", textContent: "Remove" });
    remove.setAttribute("aria-label", `Remove ${file.name}`);
    remove.addEventListener("click", () => {
      take([...input.files].filter((_, number) => number !== index));
      (list.querySelector("button") || input).focus();
    });
    item.append(name, told, remove);
    if (limit && file.size > limit) {
      const wrong = document.createElement("span");
      Object.assign(wrong, { className: "wrong", textContent: `Larger than the limit of ${size(limit)}.` });
      item.append(wrong);
    }
    return item;
  }

  function show() {
    const files = [...input.files];
    list.replaceChildren(...files.slice(0, SHOWN).map(row));
    list.hidden = files.length < 2 && !(limit && files[0]?.size > limit);
    const total = size(files.reduce((sum, file) => sum + file.size, 0));
    const more = files.length > SHOWN ? `, of which the first ${SHOWN} are shown` : "";
    words.textContent = files.length > 1 ? `${files.length} files, ${total} in all${more}. Each becomes a job of its own.` : "";
    preview(files[0]);
  }

  // Shows the first picture of the first file, where the browser can.
  function preview(file) {
    URL.revokeObjectURL(place.firstElementChild?.src);
    place.replaceChildren();
    place.hidden = !file || !/^(image|video)\//.test(file.type);
    if (place.hidden) return;
    const still = file.type.startsWith("image/");
    const picture = document.createElement(still ? "img" : "video");
    const caption = document.createElement("p");
    caption.className = "hint";
    const tell = (width, height, seconds) => {
      caption.textContent = `${file.name}, ${width} × ${height}, ${size(file.size)}${Number.isFinite(seconds) ? `, ${seconds.toFixed(1)} s` : ""}`;
    };
    picture.addEventListener("error", () => { place.hidden = true; });
    picture.addEventListener("load", () => tell(picture.naturalWidth, picture.naturalHeight));
    picture.addEventListener("loadedmetadata", () => tell(picture.videoWidth, picture.videoHeight, picture.duration));
    Object.assign(picture, { src: URL.createObjectURL(file) + (still ? "" : "#t=0.001"), alt: "", muted: true, preload: "metadata" });
    place.append(picture, caption);
  }

  const asFile = (entry) => new Promise((done) => entry.file(done, () => done(null)));
  async function filesOf(entry) {
    if (entry.isFile) return [await asFile(entry)].filter(Boolean);
    const reader = entry.createReader();
    const found = [];
    for (;;) { // a reader gives its entries in batches
      const batch = await new Promise((done) => reader.readEntries(done, () => done([])));
      if (!batch.length) return found;
      for (const inner of batch) found.push(...await filesOf(inner));
    }
  }

  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("over"); });
  }
  drop.addEventListener("drop", async (event) => {
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const plain = [...event.dataTransfer.files];
    if (!entries.some((entry) => entry.isDirectory)) {
      if (plain.length) take(plain);
      return;
    }
    const found = [];
    for (const entry of entries) found.push(...await filesOf(entry));
    takeFolder(found);
  });
  input.addEventListener("change", show);

  const folder = Object.assign(document.createElement("input"), { type: "file", webkitdirectory: true, id: "folder-input", hidden: true });
  folder.setAttribute("aria-label", "Folder");
  folder.addEventListener("change", () => takeFolder([...folder.files]));
  folderButton.after(folder);
  folderButton.hidden = false;
  folderButton.addEventListener("click", () => folder.click());
})();
