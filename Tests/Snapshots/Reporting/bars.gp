# Accuracy
# Run in this folder: gnuplot accuracy.gp
set terminal svg size 480,300 dynamic noenhanced font 'sans-serif,13'
set encoding utf8
set output 'accuracy.svg'
set datafile separator ','
set border 3 linewidth 1
set tics nomirror out scale 0.5
set xtics offset 0,0.3
set grid ytics back linetype 1 linewidth 0.5 linecolor rgb '#808080'
set xlabel 'method' offset 0,0.4
set ylabel 'accuracy (%)' offset 1,0
set key above left horizontal Left reverse samplen 1.5
set xtics ('Random' 0, 'Minimax' 1)
set xrange [-0.6:1.6]
set yrange [0:*]
colors = '37226 29362'
larger(a, b) = a > b ? a : b
set offsets 0, 0, graph 0.08, 0
plot 'accuracy.csv' skip 1 using 0:2:(0.5704):(word(colors, int($0) + 1) + 0) with boxes fillstyle solid 1 noborder linecolor rgb variable notitle, \
    'accuracy.csv' skip 1 using ($0 + 0.1333):4 with points pointtype 6 pointsize 0.45 linewidth 2 linecolor rgb 'black' notitle, \
    'accuracy.csv' skip 1 using ($0 + 0.2263):5 with points pointtype 6 pointsize 0.45 linewidth 2 linecolor rgb 'black' notitle, \
    'accuracy.csv' skip 1 using 0:($2 - $3):(0):(2 * $3) with vectors heads size graph 0.012,90 fixed linewidth 1.5 linecolor rgb 'black' notitle, \
    'accuracy.csv' skip 1 using 0:(larger(larger(larger($2, (valid(3) ? $2 + $3 : $2)), (valid(4) ? $4 : $2)), (valid(5) ? $5 : $2))):(sprintf('%.1f', $2)) with labels offset 0,0.7 font ',11' notitle, \
    10 with lines dashtype 2 linewidth 1.5 linecolor rgb '#808080' title 'guessing'
if (strstrt(GPVAL_TERMINALS, 'pdfcairo') > 0) {
    set terminal pdfcairo size 5in,3.13in noenhanced font 'sans-serif,10'
    set output 'accuracy.pdf'
    replot
}
