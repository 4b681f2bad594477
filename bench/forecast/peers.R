#!/usr/bin/env Rscript
# Measures R's forecast package on the series that bench_forecast measures, in the same way.
#
#   tools/install bench
#   Rscript bench/forecast/peers.R FOLDER [SERIES_MAX]
#
# Prints sMAPE, MASE, MSIS (95 %), coverage and CPU time a series, as bench_forecast and peers.py do.
suppressPackageStartupMessages(library(forecast))

day <- 24
week <- 168
alpha <- 0.05

read_series <- function(path) {
  lines <- readLines(path)[-1]
  lapply(strsplit(gsub('"', "", lines), ",", fixed = TRUE), function(cells) {
    values <- suppressWarnings(as.numeric(cells[-1]))
    values[!is.na(values)]
  })
}

measures <- function(past, actual, said) {
  mean <- as.numeric(said$mean)
  low <- as.numeric(said$lower)
  high <- as.numeric(said$upper)
  scale <- mean(abs(tail(past, -day) - head(past, -day)))
  outside <- pmax(low - actual, 0) + pmax(actual - high, 0)
  c(200 * mean(abs(actual - mean) / (abs(actual) + abs(mean))),
    mean(abs(actual - mean)) / scale,
    mean(high - low + 2 / alpha * outside) / scale,
    mean(actual >= low & actual <= high))
}

run <- function(name, model, train, test) {
  spent <- 0
  rows <- mapply(function(past, actual) {
    begin <- proc.time()
    said <- suppressWarnings(model(past, length(actual)))
    spent <<- spent + sum((proc.time() - begin)[1:2])
    measures(past, actual, said)
  }, train, test)
  found <- rowMeans(rows)
  cat(sprintf("%-24s %7.3f %6.3f %6.3f  %.4f          %7.2f ms\n", name, found[1], found[2], found[3],
              found[4], 1000 * spent / length(train)))
}

arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
train <- read_series(file.path(folder, "train.csv"))
test <- read_series(file.path(folder, "test.csv"))
if (length(arguments) > 1) {
  most <- min(length(train), as.integer(arguments[2]))
  train <- train[seq_len(most)]
  test <- test[seq_len(most)]
}
cat(sprintf("%d series           sMAPE   MASE   MSIS  in 95%%\n", length(train)))
run("snaive", function(y, h) snaive(ts(y, frequency = day), h = h, level = 95), train, test)
run("thetaf", function(y, h) thetaf(ts(y, frequency = day), h = h, level = 95), train, test)
run("mstl(24, 168) + ets", function(y, h) {
  stlf(msts(y, seasonal.periods = c(day, week)), h = h, level = 95)
}, train, test)
run("ets", function(y, h) forecast(ets(ts(y, frequency = day)), h = h, level = 95), train, test)
