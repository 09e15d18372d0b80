"""The recordings that differ from the sandbox's answers, and the reasons."""

from typing import Final

WORLD: Final = "that answer alone shows what was so at that moment: a state, a variable, a size"
REVISION: Final = "how many revisions the app had by then, only that answer tells"
ROUTABLE: Final = "that recording's Diego called crashed instances routable, as no later one did"
OPERATOR: Final = "the operator's own settings: links, limits and members of /v2"
TIES: Final = (
    "the order of what was made within a second, or has a name that no other recording shows"
)
UPLOAD: Final = "recorded without the web server in front, which takes uploads apart"
RESTART: Final = "the updater had its turn between the restart and what Diego said of it"

EXCEPTIONS: Final = {
    "builds__create": WORLD,
    "bulk__droplets-of-20-apps": WORLD,
    "delete-app-recursive__job-end": WORLD,
    "delete-app-recursive__job-poll": WORLD,
    "delete-app__job-first-poll": WORLD,
    "deployments__list-filter-status": WORLD,
    "diego-down__refused-app-after-restart-of-stopped-app": WORLD,
    "droplets__copy": WORLD,
    "droplets__copy-staged": WORLD,
    "droplets__get": WORLD,
    "droplets__get-docker": WORLD,
    "droplets__list-states": WORLD,
    "get-env__admin-read-only": WORLD,
    "get-env__admin-with-visibility-off": WORLD,
    "get-env__minimal": WORLD,
    "get-env__with-env-groups": WORLD,
    "list-apps__page-1-of-n": WORLD,
    "list-apps__page-last": WORLD,
    "misc__feature_flags": WORLD,
    "misc__manifest": WORLD,
    "processes__stats-3-instances": WORLD,
    "processes__update-readiness": WORLD,
    "rate-limit-window__root-429-user": WORLD,
    "restage-rolling__10-app-after": WORLD,
    "restage-while-started__04-restart": WORLD,
    "roles__include-organization": WORLD,
    "roles__include-space": WORLD,
    "roles__include-user,space,organization": WORLD,
    "rolling-cancel-middle__24-current-droplet-after": WORLD,
    "scale__instances-with-memory-above-space-instance-limit": WORLD,
    "scale__log-rate-null": WORLD,
    "scale__processes-with-0-instances": WORLD,
    "service-instances__list": WORLD,
    "suspended__list-include": WORLD,
    "suspended__scale-admin": WORLD,
    "update-environment-variables__too-long": WORLD,
    "deployments__create": REVISION,
    "deployments__create-by-revision-or-default": REVISION,
    "deployments__create-canary": REVISION,
    "deployments__create-second-supersedes": REVISION,
    "deployments__create-stopped-app": REVISION,
    "restage-rolling__02-deploy": REVISION,
    "suspended__deploy-admin": REVISION,
    "suspended__space-deploy-admin": REVISION,
    "processes__stats-crashed": ROUTABLE,
    "rate-limit-v2__admin-200": OPERATOR,
    "rate-limit-window__per-process-50-global-200": OPERATOR,
    "rate-limit__root-global-not-limited": OPERATOR,
    "root__double-slash": OPERATOR,
    "root__global": OPERATOR,
    "root__global-with-token": OPERATOR,
    "root__v2-info-with-token": OPERATOR,
    "bulk__apps-last-page": TIES,
    "bulk__apps-per_page-5000": TIES,
    "bulk__processes-200-app-guids": TIES,
    "bulk__processes-200-app-guids-embed": TIES,
    "droplets__upload-wrong-field": UPLOAD,
    "rolling-restart-app__12-instances": RESTART,
    "rolling-restart-app__13-instances": RESTART,
}
