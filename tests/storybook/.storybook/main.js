// How the Storybook is built: from the modules that export.py writes, with the product's own static files, and no telemetry.
export default {
  framework: "@storybook/html-vite",
  stories: ["../stories/*.stories.js"],
  addons: [],
  staticDirs: [{ from: "../../../static", to: "/static" }],
  core: { disableTelemetry: true, disableWhatsNewNotifications: true, enableCrashReports: false },
};
