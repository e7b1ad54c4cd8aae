{{- define "exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 52 characters: Kubernetes appends to the names of pods and of dashboards. */}}
{{- define "exporter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "exporter.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "exporter.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "exporter.selector" -}}
app.kubernetes.io/name: {{ include "exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "exporter.labels" -}}
{{ include "exporter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "exporter.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "exporter.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "exporter.config" -}}
{{- if kindIs "string" .Values.config -}}
{{- .Values.config -}}
{{- else -}}
{{- $config := deepCopy .Values.config -}}
{{- if not (or .Values.worker.zone (hasKey $config "targets")) }}{{ $_ := set $config "targets" list }}{{ end -}}
{{- toYaml $config -}}
{{- end -}}
{{- end -}}

{{/*
What the pod's account needs rights for, as YAML: namespace -> list of roles. The namespace "" is the cluster. Empty if no
source uses the account.
*/}}
{{- define "exporter.discovery" -}}
{{- $config := fromYaml (include "exporter.config" .) -}}
{{- with $config.Error -}}{{ fail (printf "config is not YAML: %s" .) }}{{- end -}}
{{- $scopes := dict -}}
{{- range $source := default list $config.kubernetes_sd_configs -}}
{{- if not (or $source.kubeconfig_file $source.api_server) -}}
{{- $namespaces := default dict $source.namespaces -}}
{{- $names := default list $namespaces.names -}}
{{- if $namespaces.own_namespace }}{{ $names = append $names $.Release.Namespace }}{{ end -}}
{{- range default (list "") $names -}}
{{- $_ := set $scopes . (append (default list (get $scopes .)) $source.role | uniq | sortAlpha) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $scopes }}{{ toYaml $scopes }}{{ end -}}
{{- end -}}

{{/* The rules of a role, for a list of roles of kubernetes_sd_configs. */}}
{{- define "exporter.rules" -}}
{{- if has "ingress" . }}
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [list, watch]
{{- end }}
{{- if has "httproute" . }}
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes, gateways]
  verbs: [list, watch]
{{- end }}
{{- if has "service" . }}
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch]
{{- end }}
{{- end -}}

{{- define "exporter.args" -}}
{{- if .Values.worker.zone }}
- worker
- --config.file=/etc/tls-posture-exporter/config.yaml
- --zone={{ .Values.worker.zone }}
- --processes={{ .Values.worker.processes }}
- --web.listen-address=:19443
{{- else }}
- serve
- --config.file=/etc/tls-posture-exporter/config.yaml
- --config.auto-reload-interval={{ .Values.reloadInterval }}
- --storage.path=/var/lib/tls-posture-exporter
- --storage.retention={{ .Values.persistence.retention }}
- --web.listen-address=:19443
{{- with .Values.web.configSecret }}
- --web.config.file=/etc/tls-posture-exporter-web/web.yml
{{- end }}
{{- with .Values.web.externalUrl }}
- --web.external-url={{ . }}
{{- end }}
{{- if .Values.web.enableLifecycle }}
- --web.enable-lifecycle
{{- end }}
{{- with .Values.scanProcesses }}
- --scan.processes={{ . }}
{{- end }}
{{- if gt (int .Values.shards) 1 }}
- --shard.index=$(POD_INDEX)
- --shard.total={{ .Values.shards }}
{{- end }}
{{- end }}
- --log.level={{ .Values.log.level }}
- --log.format={{ .Values.log.format }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "exporter.probe" -}}
{{- if .root.Values.probes.tcpOnly -}}
tcpSocket:
  port: http
{{- else -}}
httpGet:
  path: {{ .path }}
  port: http
  {{- if not .root.Values.worker.zone }}
  scheme: {{ .root.Values.web.scheme }}
  {{- with .root.Values.probes.httpHeaders }}
  httpHeaders:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end -}}
{{- end -}}
