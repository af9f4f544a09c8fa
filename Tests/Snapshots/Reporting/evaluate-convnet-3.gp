# Test accuracy of ConvNet-3 during training
# Run in this folder: gnuplot evaluate-convnet-3.gp
set terminal svg size 480,300 dynamic noenhanced font 'sans-serif,13'
set encoding utf8
set output 'evaluate-convnet-3.svg'
set datafile separator ','
set border 3 linewidth 1
set tics nomirror out scale 0.5
set xtics offset 0,0.3
set grid ytics back linetype 1 linewidth 0.5 linecolor rgb '#808080'
set xlabel 'epoch' offset 0,0.4
set ylabel 'test accuracy (%)' offset 1,0
set key off
set autoscale xfix
set offsets graph 0.01, graph 0.01, 0, 0
plot 'evaluate-convnet-3.csv' skip 1 using 1:($2 - $3):($2 + $3) with filledcurves fillcolor rgb '#00916a' fillstyle transparent solid 0.2 noborder notitle, \
    'evaluate-convnet-3.csv' skip 1 using 1:2 with linespoints linewidth 2 dashtype 1 pointtype 7 pointsize 0.5 linecolor rgb '#00916a' notitle
if (strstrt(GPVAL_TERMINALS, 'pdfcairo') > 0) {
    set terminal pdfcairo size 5in,3.13in noenhanced font 'sans-serif,10'
    set output 'evaluate-convnet-3.pdf'
    replot
}
