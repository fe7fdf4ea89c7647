// What stands around every story: the colour scheme of one's choice, and nothing that leads away from it.
export const globalTypes = {
  scheme: { description: "Colour scheme", toolbar: { icon: "mirror", items: ["light dark", "light", "dark"] } },
};
export const initialGlobals = { scheme: "light dark" };
export const parameters = { layout: "fullscreen", controls: { disable: true }, actions: { disable: true } };
export const decorators = [
  (story, { globals }) => {
    document.documentElement.style.colorScheme = globals.scheme;
    return story();
  },
];

document.addEventListener("submit", (event) => event.preventDefault(), true);
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (link && !link.getAttribute("href").startsWith("#")) event.preventDefault();
}, true);
