package anomalyprocessor

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"

	"github.com/llm-devops/llm-sentinel/internal/detect"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("README.md")
	require.NoError(t, err)
	return string(b)
}

// row returns the table row of the README whose first cell names key.
func row(t *testing.T, key string) []string {
	t.Helper()
	for line := range strings.Lines(readme(t)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if strings.HasPrefix(cells[0], "| ") && strings.Contains(cells[0], "`"+key+"`") {
			return cells
		}
	}
	require.Fail(t, "README.md has no table row for "+key)
	return nil
}

func TestReadmeNamesEveryOptionWithItsDefault(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	assertOptions(t, "", reflect.ValueOf(*cfg))
	for _, c := range []struct {
		prefix string
		of     any
	}{{"detectors::<name>::", DetectorConfig{}}, {"metrics::<name>::", MetricConfig{}}} {
		typ := reflect.TypeOf(c.of)
		for i := range typ.NumField() {
			if key := typ.Field(i).Tag.Get("mapstructure"); key != "" && key != ",remain" {
				row(t, c.prefix+key)
			}
		}
	}
}

// assertOptions checks the rows of the options in v, and of those below them.
func assertOptions(t *testing.T, prefix string, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("mapstructure")
		if key != "" && v.Field(i).Kind() == reflect.Struct {
			assertOptions(t, prefix+key+"::", v.Field(i))
			continue
		}
		if key != "" {
			key = prefix + key
		}
		switch key {
		case "", "detectors", "metrics":
			continue
		case "storage", "llm_storage":
			assert.Equal(t, "none", row(t, key)[1])
			continue
		}
		want := fmt.Sprint(v.Field(i).Interface())
		if v.Field(i).Kind() == reflect.Slice {
			want = strings.ReplaceAll(want, " ", ", ")
		}
		want = regexp.MustCompile(`(\D)0s$`).ReplaceAllString(want, "$1") // 1m0s is written 1m
		want = regexp.MustCompile(`(\D)0m$`).ReplaceAllString(want, "$1")
		assert.Equal(t, "`"+want+"`", row(t, key)[1], key)
	}
}

func TestReadmeTellsTheTablesAsTheyAre(t *testing.T) {
	for _, d := range detect.Detectors() {
		r := row(t, d.Name)
		assert.True(t, strings.HasPrefix(r[2], fmt.Sprintf("%v ", d.DefaultThreshold)), "%s: default %v, README says %s", d.Name, d.DefaultThreshold, r[2])
		assert.Equal(t, fmt.Sprintf("%v..%v |", d.MinThreshold, d.MaxThreshold), r[3], d.Name)
		for _, p := range d.Params {
			assert.Equal(t, fmt.Sprintf("`%v`", p.Default), row(t, "detectors::"+d.Name+"::"+p.Name)[1])
		}
	}
	for i := range metrics {
		r := row(t, metrics[i].name)
		assert.Equal(t, "`"+string(metrics[i].typ)+"`", r[2], metrics[i].name)
		assert.Equal(t, fmt.Sprintf("%v |", metrics[i].minAbsolute), r[3], metrics[i].name)
		assert.Equal(t, fmt.Sprintf("`%v`", metrics[i].minRelative), row(t, "metrics::<name>::min_relative_deviation")[1])
		assert.Equal(t, fmt.Sprintf("`%v`", metrics[i].direction), row(t, "metrics::<name>::direction")[1])
	}
}

// The examples of the README are configurations that work.
func TestReadmeExamplesAreValid(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readme(t), -1)
	require.Len(t, blocks, 5)
	for _, b := range blocks {
		var doc map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(b[1]), &doc))
		sub, err := confmap.NewFromStringMap(doc).Sub("processors::anomaly")
		require.NoError(t, err)
		cfg := createDefaultConfig().(*Config)
		require.NoError(t, sub.Unmarshal(cfg))
		require.NoError(t, confmap.Validate(cfg))
	}
}
