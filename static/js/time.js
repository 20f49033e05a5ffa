/* Keeps "4 s ago" true while the page stays open. The words are those of console/presentation/times.py. */
(() => {
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

  const ago = (moment) => {
    const seconds = Math.floor((Date.now() - Date.parse(moment)) / 1000);
    if (seconds < 1) return "just now";
    const [length, unit] = units.find(([size]) => seconds >= size);
    return `${Math.floor(seconds / length)} ${unit} ago`;
  };

  const refresh = () => {
    if (document.hidden) return;
    for (const element of document.querySelectorAll("time[data-relative]")) {
      const text = ago(element.dateTime);
      if (element.textContent !== text) element.textContent = text;
    }
  };

  setInterval(refresh, 5000);
  document.addEventListener("visibilitychange", refresh);
})();
