/// The styles of the page: light and dark, on paper and on a telephone.
enum StyleSheet {
    static let css = [
        base, header, summary, tables, gallery, zoom, figures, provenance, dark, paper,
    ]
    .joined(separator: "\n")

    private static let base = """
        :root{--ink:#1d1f24;--muted:#5b616b;--ground:#fbfbfa;--card:#ffffff;--line:#dcdfe4;--accent:#00609a;--tint:#e9f3fa;--warn:#fff6e5;--warnline:#c58a1a}
        *{box-sizing:border-box}
        html{color-scheme:light dark;scroll-behavior:smooth;-webkit-text-size-adjust:100%}
        body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
        header,main{max-width:1080px;margin:0 auto;padding:0 24px}
        h1,h2,h3{line-height:1.2;text-wrap:balance}
        h2{font-size:1.5rem;margin:3rem 0 1rem;padding-top:1.25rem;border-top:1px solid var(--line)}
        h3{font-size:1.1rem;margin:1.75rem 0 .6rem}
        p{margin:.6rem 0;max-width:72ch}
        a{color:var(--accent)}
        a:focus-visible,summary:focus-visible,button:focus-visible,[tabindex]:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:4px}
        small,.muted,.remark{color:var(--muted)}
        .remark,small{font-size:.875rem}
        .hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
        .skip{position:absolute;left:-999px}
        .skip:focus{left:8px;top:8px;background:var(--card);padding:8px 12px;z-index:1}
        @media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
        """

    private static let header = """
        header{padding-top:2.5rem}
        .kind{margin:0;color:var(--accent);font-weight:600;font-size:.875rem;letter-spacing:.02em}
        h1{font-size:clamp(1.75rem,5vw,2.5rem);margin:.2rem 0 .4rem;overflow-wrap:anywhere}
        .subtitle{margin:0;color:var(--muted)}
        nav{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin-top:1rem}
        nav a{padding:.25rem 0}
        header+main h2:first-child{margin-top:1.5rem}
        """

    private static let summary = """
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(172px,1fr));gap:12px;list-style:none;margin:0 0 1rem;padding:0}
        .tiles li{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 16px}
        .tiles .own{background:var(--tint);border-color:var(--accent)}
        .tiles span,.tiles strong{display:block}
        .tiles .name{font-size:.9rem}
        .tiles strong{font-size:1.9rem;line-height:1.25;font-variant-numeric:tabular-nums;letter-spacing:-.01em}
        .tiles .detail{color:var(--muted);font-size:.875rem}
        .gaps{background:var(--warn);border-left:4px solid var(--warnline);border-radius:4px;padding:.75rem 1.25rem;margin:1.25rem 0}
        .gaps h3{margin:0 0 .4rem;font-size:1rem}
        .gaps ul{margin:0;padding-left:1.1rem}
        """

    private static let tables = """
        .scroll{position:relative;overflow-x:auto;max-width:100%}
        table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
        caption{text-align:left;color:var(--muted);font-size:.875rem;padding-bottom:.6rem;max-width:72ch}
        th,td{text-align:left;padding:.45rem .75rem;border-bottom:1px solid var(--line);vertical-align:baseline;white-space:nowrap}
        th:first-child,td:first-child{padding-left:.5rem}
        thead th{font-size:.875rem;vertical-align:bottom;border-bottom:2px solid var(--line);white-space:normal}
        tbody th,tfoot th{font-weight:500}
        .group th{padding-top:1rem;font-weight:600;color:var(--muted);font-size:.875rem;white-space:normal}
        .group span{position:sticky;left:.5rem;display:inline-block;max-width:calc(100vw - 48px)}
        tr.own th,tr.own td{background:var(--tint)}
        tfoot th,tfoot td{border-bottom:0;border-top:2px solid var(--line);font-weight:600}
        .number{text-align:right}
        .dense{font-size:.8125rem}
        .dense th,.dense td{padding:.35rem .4rem}
        td small{display:block}
        .mark{display:inline-block;width:1.1em;text-align:center;color:var(--muted)}
        .share{width:30%;min-width:110px}
        .bar{display:inline-block;height:.7em;min-width:2px;background:var(--accent);border-radius:2px}
        """

    private static let gallery = """
        .class{border-bottom:1px solid var(--line);padding-bottom:1.1rem}
        .class h3{margin:1.1rem 0 .4rem}
        .strips{display:grid;grid-template-columns:repeat(auto-fit,minmax(260px,1fr));gap:14px 24px}
        figure{margin:0;min-width:0}
        .class figcaption{font-size:.8125rem;color:var(--muted);margin-bottom:4px}
        .class .own figcaption{color:var(--accent);font-weight:600}
        .strip{display:grid;grid-template-columns:repeat(5,minmax(0,1fr));gap:3px}
        .open{display:block;width:100%;margin:0;padding:0;border:0;background:none;border-radius:2px}
        .live .open{cursor:zoom-in}
        .strip img{display:block;width:100%;height:auto;border-radius:2px;background:var(--line)}
        .pixels{image-rendering:pixelated}
        #gallery{position:relative}
        #gallery .skip:focus{left:0;top:auto}
        """

    /// What the script of the gallery shows: an enlarged image, and a real one beside an image.
    private static let zoom = """
        #peek{position:absolute;z-index:2;max-width:min(330px,calc(100vw - 16px));padding:10px;border:1px solid var(--line);border-radius:8px;background:var(--card);box-shadow:0 4px 16px rgb(0 0 0/.25);font-size:.8125rem;line-height:1.4}
        #peek:has(img):not([hidden]){display:grid;grid-template-columns:112px 1fr;gap:12px;align-items:center}
        #peek img{display:block;width:100%;height:auto;border-radius:2px}
        #peek p,#zoom p{margin:0;overflow-wrap:anywhere}
        #zoom{width:min(840px,calc(100vw - 24px));max-height:calc(100dvh - 24px);overflow:auto;overscroll-behavior:contain;padding:0 24px 20px;border:1px solid var(--line);border-radius:12px;background:var(--card);color:var(--ink)}
        #zoom:has([hidden]){width:min(450px,calc(100vw - 24px))}
        #zoom::backdrop{background:rgb(0 0 0/.6)}
        .zoom-head{position:sticky;top:0;display:flex;align-items:center;justify-content:space-between;gap:16px;padding:14px 0;background:var(--card)}
        .zoom-head h3{margin:0}
        .zoom-head button{padding:.35rem 1rem;border:1px solid var(--accent);border-radius:8px;background:var(--card);color:var(--accent);font:inherit}
        .pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,240px),1fr));gap:20px}
        .pair img{display:block;width:100%;height:auto;border-radius:4px;background:var(--line)}
        .pair figcaption{margin-top:8px;font-size:.875rem;color:var(--muted)}
        """

    private static let figures = """
        .figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:24px;margin:1rem 0}
        .plot{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px;max-width:640px}
        .plot svg{display:block;width:100%;height:auto}
        .plot svg g{font-family:inherit}
        .plot .gridline{stroke-opacity:.35}
        .plot figcaption{font-size:.8125rem;line-height:1.45;margin-top:8px}
        .failure{color:var(--muted);font-style:italic;margin:1.5rem 0;text-align:center}
        """

    private static let provenance = """
        details{margin:1rem 0;border:1px solid var(--line);border-radius:8px;background:var(--card);padding:0 1rem}
        summary{cursor:pointer;padding:.7rem 0;font-weight:600}
        details>:last-child{margin-bottom:1rem}
        pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.75rem 1rem;overflow-x:auto;margin:.5rem 0;font-size:.875rem;line-height:1.5}
        details pre{border:0;padding:0}
        code{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
        dl{margin:0 0 1rem}
        dl div{display:grid;grid-template-columns:minmax(110px,190px) 1fr;gap:.25rem 1rem;padding:.3rem 0;border-bottom:1px solid var(--line)}
        dt{color:var(--muted)}
        dd{margin:0;overflow-wrap:anywhere}
        """

    private static var dark: String {
        """
        @media screen and (prefers-color-scheme:dark){
        :root{--ink:#e7e8ea;--muted:#a5abb5;--ground:#15171b;--card:#1c1f25;--line:#343941;--accent:#74bff0;--tint:#1b2c3a;--warn:#2c2414;--warnline:#d9a441}
        \(Palette.darkRules(scope: ".chart"))
        }
        @media (max-width:560px){
        header,main{padding-left:16px;padding-right:16px}
        th,td{padding-left:.5rem;padding-right:.5rem}
        thead th,tbody th[scope=row]{white-space:normal}
        tbody th[scope=row]:first-child{position:sticky;left:0;background:var(--ground)}
        tr.own th[scope=row]{background:var(--tint)}
        .tiles{grid-template-columns:1fr}
        .tiles li{display:grid;grid-template-columns:1fr auto;align-items:baseline;gap:0 12px}
        .tiles strong{grid-row:span 2;grid-column:2;grid-row-start:1;font-size:1.6rem}
        .plot{padding:8px}
        dl div{grid-template-columns:1fr}
        }
        """
    }

    /// Paper has no dark mode, no links to follow, and nothing to unfold.
    private static let paper = """
        @media print{
        @page{margin:16mm 14mm}
        :root{--ground:#fff;--card:#fff}
        body{font-size:10.5pt}
        header,main{max-width:none;padding:0}
        nav,.skip,.more,#gallery-hint,#zoom,#peek{display:none}
        a{color:inherit;text-decoration:none}
        h2,h3{break-after:avoid}
        .class,.plot,.tiles li,tr{break-inside:avoid}
        .strips{grid-template-columns:repeat(3,1fr);gap:8px 14px}
        .figures{grid-template-columns:1fr 1fr;gap:10px}
        .plot{max-width:none;padding:6px 8px}
        .scroll{overflow:visible}
        td small{display:inline}
        th,td{white-space:normal}
        pre{white-space:pre-wrap;overflow-wrap:anywhere}
        details::details-content{display:block;content-visibility:visible}
        *{print-color-adjust:exact;-webkit-print-color-adjust:exact}
        }
        """
}
