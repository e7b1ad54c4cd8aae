// Command prometheus-kubernetes prints the target groups that Prometheus' discovery of Kubernetes finds, as JSON.
//
// Arguments: a file with one entry of kubernetes_sd_configs. Debian's Prometheus has no discovery of Kubernetes.
package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/kubernetes"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"gopkg.in/yaml.v2"
)

// quiet is how long no group may come before all are known.
const quiet = 3 * time.Second

func main() {
	text, err := os.ReadFile(os.Args[1])
	exitOn(err)
	var config kubernetes.SDConfig
	exitOn(yaml.UnmarshalStrict(text, &config))
	registry := prometheus.NewRegistry()
	metrics := config.NewDiscovererMetrics(registry, discovery.NewRefreshMetrics(registry))
	exitOn(metrics.Register())
	options := discovery.DiscovererOptions{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), Metrics: metrics}
	discoverer, err := config.NewDiscoverer(options)
	exitOn(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	groups := make(chan []*targetgroup.Group)
	go discoverer.Run(ctx, groups)
	found := map[string][]model.LabelSet{}
	for wait := 30 * time.Second; ; wait = quiet {
		select {
		case part := <-groups:
			for _, group := range part {
				targets := []model.LabelSet{}
				for _, target := range group.Targets {
					targets = append(targets, group.Labels.Merge(target))
				}
				found[group.Source] = targets
			}
		case <-time.After(wait):
			exitOn(json.NewEncoder(os.Stdout).Encode(found))
			return
		}
	}
}

func exitOn(err error) {
	if err != nil {
		slog.Error("failed", "error", err)
		os.Exit(1)
	}
}
