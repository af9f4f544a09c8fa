import Mustache

/// The mustache templates of the page, by the names they include each other with.
///
/// They are part of the program, so that an installed one needs no other files. An included
/// template stands at the start of its line: mustache would indent all its lines otherwise, those
/// of preformatted text too.
enum Templates {
    static let all = [
        "page": page, "summary": summary, "accuracy": accuracy, "gallery": gallery, "zoom": zoom,
        "curves": curves, "figure": figure, "figures": figures, "gaps": gaps, "costs": costs,
        "provenance": provenance,
        "comparison": comparison, "index": index,
    ]

    /// A page as text.
    ///
    /// - Parameters:
    ///   - page: What the template reads by name.
    ///   - name: The template.
    /// - Returns: HTML.
    /// - Throws: The fault of a template.
    static func render(_ page: Any, with name: String) throws -> String {
        var library = MustacheLibrary()
        for (name, template) in all { try library.register(template, named: name) }
        guard let text = library.render(page, withTemplate: name) else {
            preconditionFailure("Templates: there is none of the name \(name).")
        }
        return text
    }

    /// What stands in the head of every page.
    ///
    /// - Parameter scripts: What the policy says of scripts; without it, none runs.
    /// - Returns: Elements.
    static func head(_ scripts: String = "script-src 'none'") -> String {
        """
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \(scripts)">
        """
    }

    private static let gaps = """
        {{^empty(gaps)}}
        <div class="gaps" role="note">
        <h3>Please note</h3>
        <ul>
        {{#gaps}}
        <li>{{.}}</li>
        {{/gaps}}
        </ul>
        </div>
        {{/empty(gaps)}}

        """

    private static let figures = """
        <div class="figures">
        {{#figures}}
        {{>figure}}
        {{/figures}}
        </div>

        """

    private static let page = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        \(head(GalleryScript.policy))
        <title>{{name}}: distillation report</title>
        <style>
        {{{styleSheet}}}
        </style>
        </head>
        <body>
        <a class="skip" href="#summary">Skip to the summary</a>
        <header>
        <p class="kind">Dataset distillation report</p>
        <h1>{{name}}</h1>
        <p class="subtitle">{{subtitle}}</p>
        <nav aria-label="Sections">
        <a href="#summary">Summary</a>
        {{#accuracy}}<a href="#accuracy">Accuracy</a>{{/accuracy}}
        {{#gallery}}<a href="#gallery">Gallery</a>{{/gallery}}
        {{#hasCurves}}<a href="#curves">Training curves</a>{{/hasCurves}}
        {{#costs}}<a href="#costs">Costs</a>{{/costs}}
        <a href="#provenance">Recipe and provenance</a>
        </nav>
        </header>
        <main>
        {{#summary}}
        {{>summary}}
        {{/summary}}
        {{#accuracy}}
        {{>accuracy}}
        {{/accuracy}}
        {{#gallery}}
        {{>gallery}}
        {{/gallery}}
        {{#hasCurves}}
        {{>curves}}
        {{/hasCurves}}
        {{#costs}}
        {{>costs}}
        {{/costs}}
        {{#provenance}}
        {{>provenance}}
        {{/provenance}}
        </main>
        {{#gallery}}
        {{>zoom}}
        <script>{{{script}}}</script>
        {{/gallery}}
        </body>
        </html>

        """

    private static let summary = """
        <section id="summary" aria-labelledby="summary-heading">
        <h2 id="summary-heading">Summary</h2>
        {{#findings}}
        <h3>{{heading}}</h3>
        <ul class="tiles">
        {{#tiles}}
        <li{{#isOwn}} class="own"{{/isOwn}}><span class="name">{{name}}</span> <strong>{{value}}</strong> <span class="detail">{{detail}}</span></li>
        {{/tiles}}
        </ul>
        {{#paragraphs}}
        <p>{{.}}</p>
        {{/paragraphs}}
        {{/findings}}
        {{#remarks}}
        <p class="remark">{{.}}</p>
        {{/remarks}}
        {{>gaps}}
        </section>

        """

    private static let accuracy = """
        <section id="accuracy" aria-labelledby="accuracy-heading">
        <h2 id="accuracy-heading">Accuracy</h2>
        <p class="remark" id="accuracy-caption">Test accuracy, in percent, of networks trained from scratch on each method's images: mean ± sample standard deviation over the seeds. Bold: the highest mean, and those that Welch's test over the seeds cannot tell from it (p ≥ 0.05).</p>
        <div class="scroll" role="region" aria-labelledby="accuracy-heading" tabindex="0">
        <table aria-labelledby="accuracy-caption">
        <thead>
        <tr><th scope="col">Trained on</th><th scope="col" class="number">After the last epoch</th><th scope="col">Each seed</th><th scope="col" class="number">Best epoch,<br>chosen on the test set</th><th scope="col" class="number">Training images</th><th scope="col" class="number">Time</th></tr>
        </thead>
        {{#blocks}}
        <tbody>
        <tr class="group"><th scope="rowgroup" colspan="6"><span>{{heading}}</span></th></tr>
        {{#rows}}
        <tr{{#isOwn}} class="own"{{/isOwn}}><th scope="row">{{method}}</th><td class="number">{{#isBestLast}}<strong>{{/isBestLast}}{{last}}{{#isBestLast}}</strong>{{/isBestLast}}{{^empty(selected)}}<br><small>{{#isBestSelected}}<strong>{{/isBestSelected}}{{selected}}{{#isBestSelected}}</strong>{{/isBestSelected}}: epoch chosen on held-out training images</small>{{/empty(selected)}}</td><td>{{values}}{{^empty(seeds)}} <small>{{seeds}}</small>{{/empty(seeds)}}</td><td class="number muted">{{#isBestBest}}<strong>{{/isBestBest}}{{best}}{{#isBestBest}}</strong>{{/isBestBest}}</td><td class="number">{{trainImages}}</td><td class="number">{{time}}</td></tr>
        {{/rows}}
        </tbody>
        {{/blocks}}
        </table>
        </div>
        <p class="remark">The best epoch was chosen on the test set, so its accuracy is optimistic; it is listed because published tables report it. {{advice}}</p>
        {{>figures}}
        </section>

        """

    private static let gallery = """
        <section id="gallery" aria-labelledby="gallery-heading">
        <h2 id="gallery-heading">Gallery</h2>
        <p>{{note}}</p>
        <p id="gallery-hint" hidden>{{hint}}</p>
        <p><a class="skip" href="#gallery-end">Skip the images</a></p>
        {{#rows}}
        <section class="class">
        <h3>{{name}}</h3>
        <div class="strips">
        {{#strips}}
        <figure{{#isOwn}} class="own"{{/isOwn}}>
        <figcaption>{{method}}</figcaption>
        {{#isEmpty}}
        <p class="muted">No images.</p>
        {{/isEmpty}}
        <div class="strip">
        {{#pictures}}
        <button type="button" class="open" data-file="{{file}}" data-origin="{{origin}}" data-note="{{note}}" data-real="{{real}}"><img{{#isSmall}} class="pixels"{{/isSmall}} src="data:image/{{kind}};base64,{{{base64}}}" width="{{width}}" height="{{height}}" alt="{{alt}}"></button>
        {{/pictures}}
        </div>
        </figure>
        {{/strips}}
        </div>
        {{^empty(reals)}}
        <div hidden>
        {{#reals}}
        {{#picture}}
        <img id="{{id}}"{{#isSmall}} class="pixels"{{/isSmall}} src="data:image/{{kind}};base64,{{{base64}}}" width="{{width}}" height="{{height}}" alt="{{alt}}">
        {{/picture}}
        {{/reals}}
        </div>
        {{/empty(reals)}}
        </section>
        {{/rows}}
        <span id="gallery-end" tabindex="-1"></span>
        </section>

        """

    /// What the script of the gallery shows: an enlarged image, and a real one beside an image.
    private static let zoom = """
        <dialog id="zoom" aria-labelledby="zoom-heading">
        <div class="zoom-head"><h3 id="zoom-heading"></h3><button type="button">Close</button></div>
        <div class="pair"><figure></figure><figure></figure></div>
        </dialog>
        <div id="peek" role="tooltip" hidden></div>

        """

    private static let curves = """
        <section id="curves" aria-labelledby="curves-heading">
        <h2 id="curves-heading">Training curves</h2>
        {{#curves}}
        <h3>{{title}}</h3>
        <p>{{note}}</p>
        {{>figures}}
        {{#hasDetails}}
        <details class="more">
        <summary>More curves for this stage</summary>
        <div class="figures">
        {{#details}}
        {{>figure}}
        {{/details}}
        </div>
        </details>
        {{/hasDetails}}
        {{/curves}}
        </section>

        """

    private static let figure = """
        <figure class="plot">
        {{#svg}}
        {{{svg}}}
        {{/svg}}
        {{#failure}}
        <p class="failure">{{failure}}</p>
        {{/failure}}
        <figcaption><strong>{{title}}.</strong> {{caption}} <span class="muted">Numbers: <a href="{{data}}">{{data}}</a></span></figcaption>
        </figure>

        """

    private static let costs = """
        <section id="costs" aria-labelledby="costs-heading">
        <h2 id="costs-heading">Costs</h2>
        <p class="remark" id="costs-caption">Time and peak memory of every stage.</p>
        <div class="scroll" role="region" aria-labelledby="costs-heading" tabindex="0">
        <table aria-labelledby="costs-caption">
        <thead>
        <tr><th scope="col">Stage</th><th scope="col" class="number">Time</th><th scope="col" class="share">Share of total time</th><th scope="col" class="number">Peak memory</th><th scope="col">Device</th></tr>
        </thead>
        <tbody>
        {{#rows}}
        <tr><th scope="row">{{stage}}</th><td class="number">{{time}}</td><td class="share"><span class="bar" style="width:{{share}}%"></span><span class="hidden">{{share}} %</span></td><td class="number">{{memory}}</td><td>{{device}}</td></tr>
        {{/rows}}
        </tbody>
        <tfoot>
        <tr><th scope="row">All stages</th><td class="number">{{total}}</td><td></td><td class="number">{{peak}}</td><td></td></tr>
        </tfoot>
        </table>
        </div>
        </section>

        """

    private static let provenance = """
        <section id="provenance" aria-labelledby="provenance-heading">
        <h2 id="provenance-heading">Recipe and provenance</h2>
        {{#command}}
        <p>The command that made this run:</p>
        <pre tabindex="0"><code>{{command}}</code></pre>
        {{/command}}
        {{#repeatCommand}}
        <p>To repeat it with exactly the values that were used:</p>
        <pre tabindex="0"><code>{{repeatCommand}}</code></pre>
        {{/repeatCommand}}
        <p>To rebuild this page from the files of the run:</p>
        <pre tabindex="0"><code>{{rebuildCommand}}</code></pre>
        {{#hasEntries}}
        <details>
        <summary>Provenance: versions, device, data, seeds</summary>
        <dl>
        {{#entries}}
        <div><dt>{{key}}</dt><dd>{{value}}</dd></div>
        {{/entries}}
        </dl>
        {{#tables}}
        <div class="scroll" role="region" aria-label="{{title}}" tabindex="0">
        <table>
        <caption>{{title}}</caption>
        <thead>
        <tr>{{#columns}}<th scope="col">{{.}}</th>{{/columns}}</tr>
        </thead>
        <tbody>
        {{#rows}}
        <tr>{{#cells}}<td>{{.}}</td>{{/cells}}</tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        {{/tables}}
        </details>
        {{/hasEntries}}
        {{#recipe}}
        <details>
        <summary>Recipe: every value that was used</summary>
        <pre tabindex="0"><code>{{recipe}}</code></pre>
        </details>
        {{/recipe}}
        </section>

        """
}
