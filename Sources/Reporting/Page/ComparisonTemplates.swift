/// The templates of the page of a comparison and of the index of a folder of runs.
extension Templates {
    static let comparison = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        \(head(GalleryScript.policy))
        <title>{{name}}: comparison</title>
        <style>
        {{{styleSheet}}}
        </style>
        </head>
        <body>
        <a class="skip" href="#summary">Skip to the summary</a>
        <header>
        <p class="kind">Comparison of dataset distillation methods</p>
        <h1>{{name}}</h1>
        <p class="subtitle">{{subtitle}}</p>
        <nav aria-label="Sections">
        <a href="#summary">Summary</a>
        <a href="#tables">Tables</a>
        {{#hasFigures}}<a href="#figures">Figures</a>{{/hasFigures}}
        {{#gallery}}<a href="#gallery">Gallery</a>{{/gallery}}
        {{#published}}<a href="#published">Published numbers</a>{{/published}}
        {{#hasUnits}}<a href="#costs">Costs</a>{{/hasUnits}}
        <a href="#grid">Grid and commands</a>
        </nav>
        </header>
        <main>
        <section id="summary" aria-labelledby="summary-heading">
        <h2 id="summary-heading">Summary</h2>
        {{#findings}}
        <p>{{.}}</p>
        {{/findings}}
        {{>gaps}}
        </section>
        <section id="tables" aria-labelledby="tables-heading">
        <h2 id="tables-heading">Tables</h2>
        {{#tables}}
        <h3>{{title}}</h3>
        <p class="remark">{{note}}{{^empty(legend)}} {{legend}}{{/empty(legend)}}</p>
        <div class="scroll" role="region" aria-label="{{title}}" tabindex="0">
        <table{{#isWide}} class="dense"{{/isWide}} aria-label="{{title}}">
        <thead>
        <tr>{{#leads}}<th scope="col">{{.}}</th>{{/leads}}{{#methods}}<th scope="col" class="number">{{.}}</th>{{/methods}}</tr>
        </thead>
        <tbody>
        {{#rows}}
        <tr>{{#leads}}<th scope="row">{{.}}</th>{{/leads}}{{#cells}}<td class="number">{{#isBest}}<strong>{{/isBest}}{{text}}{{#isBest}}</strong>{{/isBest}}<span class="mark" aria-hidden="true">{{mark}}</span>{{^empty(remark)}}<span class="hidden">, {{remark}}</span>{{/empty(remark)}}</td>{{/cells}}</tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        {{/tables}}
        <p class="remark">The same results as files: <a href="comparison.csv">comparison.csv</a>, <a href="comparison.md">comparison.md</a>, <a href="comparison.tex">comparison.tex</a>, <a href="comparison.json">comparison.json</a>.</p>
        </section>
        {{#hasFigures}}
        <section id="figures" aria-labelledby="figures-heading">
        <h2 id="figures-heading">Figures</h2>
        {{#figures}}
        <h3>{{title}}</h3>
        <p>{{note}}</p>
        {{>figures}}
        {{/figures}}
        </section>
        {{/hasFigures}}
        {{#gallery}}
        {{>gallery}}
        {{/gallery}}
        {{#published}}
        <section id="published" aria-labelledby="published-heading">
        <h2 id="published-heading">Published numbers on {{dataset}}</h2>
        <p class="remark">Not measured here: accuracies in percent, ± the deviation where there is one, as reported by others, with their own code and machines.</p>
        {{#tables}}
        <h3>{{title}}</h3>
        <div class="scroll" role="region" aria-label="{{title}}" tabindex="0">
        <table class="dense" aria-label="{{title}}">
        <thead>
        <tr><th scope="col">Images per class</th><th scope="col">Network</th>{{#methods}}<th scope="col" class="number">{{.}}</th>{{/methods}}</tr>
        </thead>
        <tbody>
        {{#rows}}
        <tr><th scope="row">{{imagesPerClass}}</th><th scope="row">{{network}}</th>{{#cells}}<td class="number">{{.}}</td>{{/cells}}</tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        {{/tables}}
        </section>
        {{/published}}
        {{#hasUnits}}
        <section id="costs" aria-labelledby="costs-heading">
        <h2 id="costs-heading">Costs of shared work</h2>
        <p class="remark">Each item was done once, for all cells that need it.</p>
        <div class="scroll" role="region" aria-labelledby="costs-heading" tabindex="0">
        <table aria-labelledby="costs-heading">
        <thead>
        <tr><th scope="col">Work</th><th scope="col" class="number">Cells</th><th scope="col" class="number">Time</th><th scope="col" class="number">Peak memory</th></tr>
        </thead>
        <tbody>
        {{#units}}
        <tr><th scope="row">{{name}}</th><td class="number">{{cells}}</td><td class="number">{{time}}</td><td class="number">{{memory}}</td></tr>
        {{/units}}
        </tbody>
        </table>
        </div>
        </section>
        {{/hasUnits}}
        {{#hasProblems}}
        <section id="failed" aria-labelledby="failed-heading">
        <h2 id="failed-heading">Failed cells</h2>
        <dl>
        {{#problems}}
        <div><dt>{{cell}}</dt><dd>{{error}}</dd></div>
        {{/problems}}
        </dl>
        </section>
        {{/hasProblems}}
        <section id="grid" aria-labelledby="grid-heading">
        <h2 id="grid-heading">Grid and commands</h2>
        <p>To repeat these measurements, or to continue them:</p>
        <pre tabindex="0"><code>{{repeatCommand}}</code></pre>
        <p>To rebuild the tables, figures and this page from the files:</p>
        <pre tabindex="0"><code>{{rebuildCommand}}</code></pre>
        {{#grid}}
        <details>
        <summary>Grid: every value that was used</summary>
        <pre tabindex="0"><code>{{grid}}</code></pre>
        </details>
        {{/grid}}
        {{#hasOrigins}}
        <h3 id="origins-heading">Provenance</h3>
        <div class="scroll" role="region" aria-labelledby="origins-heading" tabindex="0">
        <table aria-labelledby="origins-heading">
        <thead>
        <tr><th scope="col">Cells</th><th scope="col">Program</th><th scope="col">Machine</th><th scope="col">Tested on</th></tr>
        </thead>
        <tbody>
        {{#origins}}
        <tr><th scope="row">{{cells}}</th><td>{{program}}</td><td>{{machine}}</td><td>{{test}}</td></tr>
        {{/origins}}
        </tbody>
        </table>
        </div>
        {{/hasOrigins}}
        </section>
        </main>
        {{#gallery}}
        {{>zoom}}
        <script>{{{script}}}</script>
        {{/gallery}}
        </body>
        </html>

        """

    static let index = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        \(head())
        <title>{{name}}: runs</title>
        <style>
        {{{styleSheet}}}
        </style>
        </head>
        <body>
        <a class="skip" href="#runs">Skip to the runs</a>
        <header>
        <p class="kind">Dataset distillation runs</p>
        <h1>{{name}}</h1>
        <p class="subtitle">{{subtitle}}</p>
        </header>
        <main>
        <section id="runs" aria-labelledby="runs-heading">
        <h2 id="runs-heading">Runs</h2>
        <div class="scroll" role="region" aria-labelledby="runs-heading" tabindex="0">
        <table aria-labelledby="runs-heading">
        <thead>
        <tr><th scope="col">Run</th><th scope="col">Started</th><th scope="col">Device</th><th scope="col" class="number">Time of all stages</th><th scope="col" class="number">Peak memory</th></tr>
        </thead>
        <tbody>
        {{#runs}}
        <tr><th scope="row">{{#link}}<a href="{{link}}">{{/link}}{{name}}{{#link}}</a>{{/link}}</th><td>{{started}}</td><td>{{device}}</td><td class="number">{{time}}</td><td class="number">{{memory}}</td></tr>
        {{/runs}}
        </tbody>
        </table>
        </div>
        </section>
        <section id="accuracy" aria-labelledby="accuracy-heading">
        <h2 id="accuracy-heading">Accuracy</h2>
        <p class="remark">{{legend}}</p>
        {{#blocks}}
        <h3>{{heading}}</h3>
        <div class="scroll" role="region" aria-label="{{heading}}" tabindex="0">
        <table aria-label="{{heading}}">
        <thead>
        <tr><th scope="col">Run</th>{{#methods}}<th scope="col" class="number">{{.}}</th>{{/methods}}</tr>
        </thead>
        <tbody>
        {{#rows}}
        <tr><th scope="row">{{run}}</th>{{#cells}}<td class="number">{{.}}</td>{{/cells}}</tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        {{/blocks}}
        {{#hasFigures}}
        {{>figures}}
        {{/hasFigures}}
        </section>
        {{#hasProblems}}
        <section id="problems" aria-labelledby="problems-heading">
        <h2 id="problems-heading">Folders that could not be read</h2>
        <ul>
        {{#problems}}
        <li>{{.}}</li>
        {{/problems}}
        </ul>
        </section>
        {{/hasProblems}}
        <section id="commands" aria-labelledby="commands-heading">
        <h2 id="commands-heading">Command</h2>
        <p>To rebuild this page:</p>
        <pre tabindex="0"><code>{{rebuildCommand}}</code></pre>
        </section>
        </main>
        </body>
        </html>

        """
}
