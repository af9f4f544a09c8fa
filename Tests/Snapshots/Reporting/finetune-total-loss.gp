# Fine-tuning: total loss
# Run in this folder: gnuplot finetune-total-loss.gp
set terminal svg size 480,300 dynamic noenhanced font 'sans-serif,13'
set encoding utf8
set output 'finetune-total-loss.svg'
set datafile separator ','
set border 3 linewidth 1
set tics nomirror out scale 0.5
set xtics offset 0,0.3
set grid ytics back linetype 1 linewidth 0.5 linecolor rgb '#808080'
set xlabel 'step' offset 0,0.4
set ylabel 'total loss' offset 1,0
set key off
set autoscale xfix
set offsets graph 0.01, graph 0.01, 0, 0
plot 'finetune-total-loss.csv' skip 1 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb '#0072b2' notitle
if (strstrt(GPVAL_TERMINALS, 'pdfcairo') > 0) {
    set terminal pdfcairo size 5in,3.13in noenhanced font 'sans-serif,10'
    set output 'finetune-total-loss.pdf'
    replot
}
