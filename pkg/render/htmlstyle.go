package render

// stylesheet is the report's. Colours are variables, so that light and dark differ in one place.
const stylesheet = `
:root{--ink:#1f2328;--faint:#59636e;--paper:#fff;--panel:#f6f8fa;--line:#d1d9e0;--good:#1a7f37;--bad:#cf222e;--warn:#9a6700;--open:#0969da;
--undone:#8250df;--goodbg:#dafbe1;--badbg:#ffebe9;--warnbg:#fff8c5;--openbg:#ddf4ff;--undonebg:#fbefff}
@media (prefers-color-scheme:dark){:root{--ink:#f0f6fc;--faint:#9198a1;--paper:#0d1117;--panel:#151b23;--line:#3d444d;--good:#3fb950;
--bad:#f85149;--warn:#d29922;--open:#4493f8;--undone:#ab7df8;--goodbg:#12261e;--badbg:#25171c;--warnbg:#272115;--openbg:#121d2f;--undonebg:#211830}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
overflow-wrap:anywhere}
main{max-width:64rem;margin:0 auto;padding:1rem;overflow-x:clip}
h1{font-size:1.5rem;line-height:1.25;margin:.25rem 0}
h2{font-size:1.1rem;margin:1.5rem 0 .5rem}
h3{font-size:1rem;margin:1rem 0 .5rem}
a{color:var(--open)}
code,pre{font:.85em/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{background:var(--panel);border:1px solid var(--line);border-radius:4px;padding:0 .25em}
pre{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:.6rem .75rem;white-space:pre-wrap;margin:.5rem 0;
max-height:32rem;overflow:auto}
header{border:1px solid var(--line);border-left:6px solid var(--open);border-radius:6px;padding:.75rem 1rem;background:var(--openbg)}
header.good{border-left-color:var(--good);background:var(--goodbg)}
header.bad{border-left-color:var(--bad);background:var(--badbg)}
header h2{margin:.75rem 0 .25rem}
.badge{margin:0;font-weight:600;color:var(--open)}
.good .badge,.outcome.good{color:var(--good)}
.bad .badge,.outcome.bad{color:var(--bad)}
.outcome{font-weight:400;font-size:.9em}
.when,.meta{color:var(--faint);font-size:.875rem;margin:.25rem 0}
.cause ol{margin:.25rem 0;padding-left:1.5rem}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,16rem),1fr));gap:.25rem 1rem;margin:1rem 0}
.facts dt{color:var(--faint);font-size:.8rem}
.facts dd{margin:0}
.note{border-left:4px solid var(--open);background:var(--openbg);border-radius:4px;padding:.5rem .75rem;margin:.5rem 0}
.note.warning{border-color:var(--warn);background:var(--warnbg)}
.note.error{border-color:var(--bad);background:var(--badbg)}
.note p{margin:0}
details{border:1px solid var(--line);border-radius:6px;margin:.75rem 0;padding:0 .75rem}
details[open]{padding-bottom:.5rem}
summary{cursor:pointer;padding:.5rem 0;font-weight:600}
.scroll{overflow-x:auto;margin:.5rem 0}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;border-bottom:1px solid var(--line);padding:.3rem .75rem .3rem 0;overflow-wrap:normal}
th{color:var(--faint);font-weight:600}
.diff ins,.diff del{text-decoration:none}
.diff ins{color:var(--good)}
.diff del{color:var(--bad)}
.axis{position:relative;height:1.2rem;margin-right:2.5rem;font-size:.75rem;color:var(--faint)}
.axis span{position:absolute;white-space:nowrap}
.lane h3{font-size:.8rem;color:var(--faint);margin:.4rem 0 .1rem;font-weight:600}
.lane ul{--row-height:1.35rem;position:relative;list-style:none;margin:0 2.5rem 0 0;padding:0;height:calc(var(--rows)*var(--row-height));
background:var(--panel);border-radius:4px}
.lane li{position:absolute;top:calc(var(--row)*var(--row-height) + 1px);height:calc(var(--row-height) - 2px);min-width:3px;border-radius:3px;
background:var(--openbg);border:1px solid var(--open);font-size:.75rem;line-height:1.1rem;white-space:nowrap}
.lane li span{padding:0 .25rem;position:relative}
.lane li.done{border-color:var(--good);background:var(--goodbg)}
.lane li.failed{border-color:var(--bad);background:var(--badbg)}
.lane li.undone{border-color:var(--undone);background:var(--undonebg)}
.lane li.moment{border-width:0 0 0 3px;border-radius:0;background:none}
.unseen{position:absolute!important;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.log ol{list-style:none;margin:0;padding:0;font-size:.875rem}
.log li{display:flex;gap:.75rem;border-top:1px solid var(--line);padding:.15rem 0;white-space:pre-wrap}
.log time{color:var(--faint);flex:0 0 5rem;text-align:right;font-variant-numeric:tabular-nums}
.log i{color:var(--faint);font-style:normal;margin-right:.5rem}
.log .warning span{color:var(--warn)}
.log .error span{color:var(--bad)}
.log .output span{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media print{pre{max-height:none}}
`
