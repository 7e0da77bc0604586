"""The style sheet of a page: light and dark, from a phone to a wide screen."""

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #f5f6f8; --card: #ffffff; --ink: #1a2130; --muted: #5a6476; --line: #e1e5ec;
  --pixel: #2f66d0; --region: #c43e70; --notice: #fff4d6; --shade: 0 1px 2px #1a213014, 0 6px 24px #1a21300d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0e1117; --card: #171b24; --ink: #e8ebf1; --muted: #9ba5b7; --line: #2a303d;
    --pixel: #7fa8ff; --region: #ff85ad; --notice: #3a3013; --shade: 0 0 0 1px #ffffff0f;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 1160px; margin: 0 auto; padding: clamp(20px, 4vw, 48px) clamp(14px, 3vw, 32px) 64px; }
h1, h2, h3, h4, p, dl, dd, figure, ul { margin: 0; }
h1 { font-size: clamp(1.7rem, 5vw, 2.5rem); line-height: 1.15; letter-spacing: -0.02em; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; letter-spacing: -0.01em; margin-bottom: 6px; }
h3 { font-size: 1.05rem; margin-bottom: 14px; overflow-wrap: anywhere; }
main > section { margin-top: 44px; }
.eyebrow { color: var(--region); font-size: 0.85rem; font-weight: 600; letter-spacing: 0.04em; margin-bottom: 6px; }
.lead { color: var(--muted); font-size: 1.1rem; max-width: 70ch; margin-top: 10px; }
.hint { color: var(--muted); max-width: 85ch; margin-bottom: 16px; }
.notice { background: var(--notice); border-radius: 10px; padding: 10px 16px; margin-top: 18px; }

.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(160px, 100%), 1fr));
  gap: 14px; margin-top: 28px;
}
.tiles div, .card, .curves, details { background: var(--card); border-radius: 14px; box-shadow: var(--shade); }
.tiles div { padding: 16px 18px; }
.tiles dt { color: var(--muted); font-size: 0.9rem; }
.tiles b {
  display: block; font-size: 2rem; line-height: 1.25;
  letter-spacing: -0.02em; font-variant-numeric: tabular-nums;
}
.tiles span { color: var(--muted); font-size: 0.85rem; }
.facts { display: flex; flex-wrap: wrap; gap: 8px 30px; margin-top: 22px; }
.facts dt { color: var(--muted); font-size: 0.8rem; }
.facts dd { font-weight: 500; overflow-wrap: anywhere; }

.curves {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(280px, 100%), 1fr));
  gap: 18px; padding: 20px;
}
.curves svg { display: block; width: 100%; height: auto; }

.legend {
  display: flex; flex-wrap: wrap; gap: 6px 22px; padding: 0;
  margin-bottom: 18px; list-style: none; font-size: 0.88rem;
}
.legend li { display: flex; align-items: center; gap: 8px; }
.legend i { width: 18px; height: 18px; border-radius: 4px; flex: none; box-shadow: 0 0 0 1px var(--line); }
.legend .wide { width: 72px; }

.card { padding: clamp(14px, 2.5vw, 24px); margin-top: 20px; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(240px, 100%), 1fr)); gap: 18px; }
figure img { display: block; width: 100%; height: auto; border-radius: 8px; box-shadow: 0 0 0 1px var(--line); }
figcaption { margin-top: 8px; font-size: 0.9rem; line-height: 1.4; }
figcaption span { color: var(--muted); }
.regions {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(420px, 100%), 1fr)); gap: 26px 30px;
  margin-top: 24px; padding-top: 22px; border-top: 1px solid var(--line);
}
.region h4 {
  display: flex; flex-wrap: wrap; align-items: center;
  gap: 4px 12px; font-size: 0.95rem; margin-bottom: 8px;
}
.region h4 span { color: var(--muted); font-weight: 400; font-variant-numeric: tabular-nums; }
.region .bar { position: relative; flex: 1 1 90px; height: 6px; border-radius: 3px; background: var(--line); }
.bar i { display: block; height: 100%; border-radius: 3px; background: var(--region); }
.bar b { position: absolute; top: -3px; width: 2px; height: 12px; margin-left: -1px; background: var(--ink); }
.maps { display: grid; grid-template-columns: repeat(3, 1fr); gap: 10px; }
.maps figcaption { margin-top: 5px; font-size: 0.8rem; }
.maps strong { font-weight: 500; color: var(--muted); }

.gallery { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 20px; }
.gallery .card { margin: 0; }
.gallery h3 { margin-bottom: 10px; }
.gallery .wide { grid-column: span 2; }
.views { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px 18px; align-items: start; }
.wide .views { grid-template-columns: repeat(4, minmax(0, 1fr)); }
.views strong { display: block; }
.views span { white-space: pre-line; }
.views figcaption { font-size: 0.85rem; font-variant-numeric: tabular-nums; }
.card .notice { margin: 0 0 14px; padding: 6px 12px; font-size: 0.9rem; }
@media (max-width: 820px) {
  .gallery { grid-template-columns: minmax(0, 1fr); }
  .gallery .wide { grid-column: auto; }
  .wide .views { grid-template-columns: repeat(2, minmax(0, 1fr)); }
}
.zoom { display: block; position: relative; max-height: 420px; cursor: zoom-in; }
.zoom img { height: 100%; object-fit: cover; }
.zoom input { position: absolute; opacity: 0; }
.zoom input:focus-visible + img { outline: 3px solid var(--pixel); outline-offset: 2px; }
.zoom input:checked + img {
  position: fixed; inset: 0; z-index: 1; height: 100vh; height: 100dvh; padding: 2vmin; object-fit: contain;
  background: #000000e6; border-radius: 0; cursor: zoom-out;
}

.table { overflow-x: auto; background: var(--card); border-radius: 14px; box-shadow: var(--shade); }
.table table { border-collapse: collapse; width: 100%; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
.table th, .table td { padding: 9px 18px; text-align: right; border-bottom: 1px solid var(--line); }
.table th:first-child { text-align: left; }
.table thead th { color: var(--muted); font-weight: 500; font-size: 0.85rem; }
.table tbody th { font-weight: 500; min-width: 8ch; overflow-wrap: break-word; }
.table tbody tr:last-child > * { border-bottom: 0; }
.table + details { margin-top: 12px; }
details .table { box-shadow: none; }

.examples { display: grid; grid-template-columns: minmax(0, 1fr); gap: 20px; }
.examples .card { margin: 0; }
.examples h3 { font-size: 0.95rem; margin-bottom: 10px; }
.examples .hint { font-size: 0.88rem; margin: 10px 0 0; }
.examples .views { grid-template-columns: repeat(auto-fit, minmax(min(150px, 100%), 1fr)); }

details { padding: 14px 18px; }
summary { cursor: pointer; font-weight: 500; }
pre { overflow-x: auto; font-size: 0.85rem; line-height: 1.45; }
"""
