{{/* The pod of an exporter, and of a worker. It meets the restricted profile of the Pod Security Standards. */}}
{{- define "exporter.pod" -}}
metadata:
  labels:
    {{- include "exporter.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- $annotations := deepCopy .Values.podAnnotations }}
  {{- /* A worker reads its configuration only when it starts. */}}
  {{- if .Values.worker.zone }}
  {{- $_ := set $annotations "checksum/config" (list (include "exporter.config" .) .Values.files | toJson | sha256sum) }}
  {{- end }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "exporter.serviceAccount" . }}
  automountServiceAccountToken: {{ and (not .Values.worker.zone) (ne (include "exporter.discovery" .) "") }}
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- /* The exporter ends within ten seconds. A worker ends the scans that it has begun. */}}
  terminationGracePeriodSeconds: {{ ternary 180 30 (ne .Values.worker.zone "") }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: exporter
      {{- with .Values.image }}
      image: {{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
      imagePullPolicy: {{ .pullPolicy }}
      {{- end }}
      args:
        {{- include "exporter.args" . | trim | nindent 8 }}
      env:
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- if and (gt (int .Values.shards) 1) (not .Values.worker.zone) }}
        - name: POD_INDEX
          valueFrom:
            fieldRef:
              fieldPath: metadata.labels['apps.kubernetes.io/pod-index']
        {{- end }}
        {{- with .Values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: http
          containerPort: 19443
      {{- /* No answer for two minutes: a start with many stored results uses all of its processor. */}}
      livenessProbe:
        {{- include "exporter.probe" (dict "root" . "path" "/-/healthy") | nindent 8 }}
        periodSeconds: 30
        timeoutSeconds: 5
        failureThreshold: 4
      readinessProbe:
        {{- include "exporter.probe" (dict "root" . "path" (ternary "/-/healthy" "/-/ready" (ne .Values.worker.zone ""))) | nindent 8 }}
        periodSeconds: 10
        timeoutSeconds: 5
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        {{- /* The folder and not its files: a file that is mounted by itself never changes. */}}
        - name: config
          mountPath: /etc/tls-posture-exporter
          readOnly: true
        - name: tmp
          mountPath: /tmp
        {{- if not .Values.worker.zone }}
        - name: storage
          mountPath: /var/lib/tls-posture-exporter
        {{- if .Values.web.configSecret }}
        - name: web-config
          mountPath: /etc/tls-posture-exporter-web
          readOnly: true
        {{- end }}
        {{- end }}
        {{- with .Values.volumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "exporter.fullname" . }}
    - name: tmp
      emptyDir: {}
    {{- if not .Values.worker.zone }}
    {{- if not .Values.persistence.enabled }}
    - name: storage
      emptyDir: {}
    {{- end }}
    {{- with .Values.web.configSecret }}
    - name: web-config
      secret:
        secretName: {{ . }}
    {{- end }}
    {{- end }}
    {{- with .Values.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- range $name := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" "dnsConfig" }}
  {{- with get $.Values $name }}
  {{ $name }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end -}}
