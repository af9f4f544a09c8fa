# Loss
# Run in this folder: gnuplot loss-of-dit-1.gp
set terminal svg size 480,300 dynamic noenhanced font 'sans-serif,13'
set encoding utf8
set output 'loss-of-dit-1.svg'
set datafile separator ','
set border 3 linewidth 1
set tics nomirror out scale 0.5
set xtics offset 0,0.3
set grid ytics back linetype 1 linewidth 0.5 linecolor rgb '#808080'
set xlabel 'step' offset 0,0.4
set ylabel 'loss (nats)' offset 1,0
set key above left horizontal Left reverse samplen 1.5
set autoscale xfix
set offsets graph 0.01, graph 0.01, 0, 0
plot 'loss-of-dit-1.csv' skip 1 using 1:($2 - $3):($2 + $3) with filledcurves fillcolor rgb '#b97a00' fillstyle transparent solid 0.2 noborder notitle, \
    'loss-of-dit-1.csv' skip 1 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb '#b97a00' title 'DiT, small', \
    'loss-of-dit-1.csv' skip 1 using 1:4 with linespoints linewidth 2 dashtype 2 pointtype 5 pointsize 0.5 linecolor rgb '#0072b2' title 'it''s'
if (strstrt(GPVAL_TERMINALS, 'pdfcairo') > 0) {
    set terminal pdfcairo size 5in,3.13in noenhanced font 'sans-serif,10'
    set output 'loss-of-dit-1.pdf'
    replot
}
