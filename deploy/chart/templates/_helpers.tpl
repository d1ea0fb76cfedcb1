{{- define "exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "exporter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "exporter.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "exporter.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "exporter.serviceAccount" -}}
{{- default (include "exporter.fullname" .) .Values.serviceAccount.name -}}
{{- end }}

{{- define "exporter.selector" -}}
app.kubernetes.io/name: {{ include "exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "exporter.labels" -}}
{{ include "exporter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: monitoring
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The chart's labels with more of them; of the same name the nearer one holds. Called with a list: root, more labels. */}}
{{- define "exporter.labelled" -}}
{{- toYaml (merge (dict) (index . 1) (fromYaml (include "exporter.labels" (index . 0)))) -}}
{{- end }}

{{- define "exporter.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{/* The Secret with the certificate, empty without TLS. */}}
{{- define "exporter.tlsSecret" -}}
{{- if .Values.tls.enabled -}}
{{- default (printf "%s-tls" (include "exporter.fullname" .)) .Values.tls.secretName -}}
{{- end -}}
{{- end }}

{{- define "exporter.scheme" -}}
{{- ternary "https" "http" .Values.tls.enabled -}}
{{- end }}

{{/* The names under which the Service is reached, for certificates. */}}
{{- define "exporter.serverName" -}}
{{ include "exporter.fullname" . }}.{{ .Release.Namespace }}.svc
{{- end }}

{{/* What the schema cannot say: it is called once, by the Deployment. */}}
{{- define "exporter.check" -}}
{{- if and (eq .Values.auth "kubernetes") (not .Values.tls.enabled) -}}
{{- fail "auth: kubernetes needs tls.enabled: without TLS the tokens of those who read could be read by others" -}}
{{- end -}}
{{- if and .Values.readers (ne .Values.auth "kubernetes") -}}
{{- fail "readers are named, but with auth: none everybody may read; set auth: kubernetes, or name none" -}}
{{- end -}}
{{- if and .Values.probes.clusterScoped (not .Values.probes.namespace) -}}
{{- fail "probes.clusterScoped needs probes.namespace: without it there are no such probes" -}}
{{- end -}}
{{- if and (not .Values.tls.enabled) (or .Values.tls.secretName .Values.tls.certManager.enabled .Values.tls.openshiftServiceCA) -}}
{{- fail "tls.enabled is not set, and yet there is a certificate: without it the port speaks plain HTTP" -}}
{{- end -}}
{{- if and .Values.tls.enabled (not .Values.tls.secretName) (not .Values.tls.certManager.enabled) (not .Values.tls.openshiftServiceCA) -}}
{{- fail "tls.enabled needs a certificate: tls.secretName, tls.certManager.enabled or tls.openshiftServiceCA" -}}
{{- end -}}
{{- end }}
